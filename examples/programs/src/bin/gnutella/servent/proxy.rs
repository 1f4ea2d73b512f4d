//! Push proxies: neighbours that pass on a push to a servent behind a firewall, from both ends.

use core::net::SocketAddrV4;

use examples::random::random;
use gnutella_wire::http::PushProxy;
use gnutella_wire::wire::{
    Function, HEADER_LEN, Message, Other, Payload, Push, Supported, VendorId, VendorMessage,
};
use gnutella_wire::{ConnId, Guid, Neighbour, Role, ServentId};

use super::node::Node;

/// What the servent and this program follow of the vendor messages. `LimeWire` sends none that is not announced.
const SUPPORTED: [VendorId; 7] = [
    VendorId::HOPS_FLOW,
    VendorId::QUERY_STATUS_REQUEST,
    VendorId::QUERY_STATUS,
    VendorId::PUSH_PROXY_REQUEST_1,
    VendorId::PUSH_PROXY_REQUEST,
    VendorId::PUSH_PROXY_ACK_1,
    VendorId::PUSH_PROXY_ACK,
];
/// How many servents one neighbour may have pushes passed on to: itself, and itself under a former id.
const MAX_PROXIED: usize = 2;

impl Node {
    /// Announces to a new neighbour which vendor messages are read, and asks it for pushes if this servent cannot
    /// be reached.
    pub(super) fn introduce(&mut self, link: ConnId, neighbour: &Neighbour) {
        if !neighbour.vendor_messages {
            return;
        }
        let ids = SUPPORTED.map(VendorId::to_bytes);
        if let Some(supported) = Supported::new(&ids) {
            self.say(link, Guid([0; 16]), &VendorMessage::MessagesSupported(supported));
        }
        if self.ctx.firewalled && neighbour.role == Role::Ultrapeer {
            let request = VendorMessage::PushProxyRequest { version: 2 };
            self.say(link, Guid(self.ctx.servent.0), &request);
        }
    }

    /// Follows the vendor messages that the servent leaves to the program.
    pub(super) fn follow_vendor(&mut self, link: ConnId, guid: Guid, body: &[u8]) {
        match VendorMessage::decode(body) {
            Ok(VendorMessage::PushProxyRequest { version }) => self.register(link, guid, version),
            Ok(VendorMessage::PushProxyAddress(address)) => self.registered(link, address),
            Ok(VendorMessage::PushProxyPort(port)) => {
                let ip = self.links.get(&link.0).map(|link| *link.name.ip());
                if let Some(ip) = ip {
                    self.registered(link, SocketAddrV4::new(ip, port));
                }
            }
            Ok(VendorMessage::ProxyCancel) => self.forget_proxied(link),
            _ => {}
        }
    }

    /// Agrees to pass on pushes to a neighbour, if others reach this servent.
    fn register(&mut self, link: ConnId, guid: Guid, version: u16) {
        if self.ctx.firewalled {
            return;
        }
        let mut proxied = self.ctx.proxied.lock().expect("no panics");
        let own = proxied.iter().filter(|(_, known)| *known == link).count();
        let servent = ServentId(guid.0);
        let is_known = proxied.iter().any(|(known, _)| *known == servent);
        if !is_known && own < MAX_PROXIED {
            proxied.push((servent, link));
        }
        drop(proxied);
        let address = self.ctx.address;
        let ack = match version {
            1 => VendorMessage::PushProxyPort(address.port()),
            _ => VendorMessage::PushProxyAddress(address),
        };
        self.say(link, guid, &ack);
    }

    /// A neighbour agrees to pass on pushes to this servent: hits name it.
    fn registered(&mut self, link: ConnId, address: SocketAddrV4) {
        if let Some(link) = self.links.get_mut(&link.0).filter(|_| self.ctx.firewalled) {
            println!("{} passes on pushes, at {address}", link.name);
            link.proxy = Some(address);
        }
    }

    pub(super) fn forget_proxied(&mut self, link: ConnId) {
        self.ctx.proxied.lock().expect("no panics").retain(|(_, known)| *known != link);
    }

    /// Passes on a push to a neighbour: `to` wants a file of it.
    pub(super) fn forward_push(&mut self, wanted: PushProxy, to: SocketAddrV4) {
        let proxied = self.ctx.proxied.lock().expect("no panics");
        let link = proxied.iter().find(|(known, _)| *known == wanted.servent);
        let link = link.map(|(_, link)| *link);
        drop(proxied);
        let Some(link) = link else { return }; // it left meanwhile
        let PushProxy { servent, index } = wanted;
        let push = Payload::Push(Push { servent, index, address: to, extensions: &[] });
        self.say_message(link, Guid::from_random(random()), push);
    }

    fn say(&mut self, link: ConnId, guid: Guid, vendor: &VendorMessage<'_>) {
        let mut body = vec![0; vendor.encoded_len()];
        vendor.encode(&mut body).expect("long enough");
        let other = Other { function: Function::VENDOR, body: &body };
        self.say_message(link, guid, Payload::Other(other));
    }

    fn say_message(&mut self, link: ConnId, guid: Guid, payload: Payload<'_>) {
        let mut buf = vec![0; HEADER_LEN + payload.encoded_len()];
        let message = Message { guid, ttl: 1, hops: 0, payload };
        message.encode(&mut buf).expect("long enough");
        self.write(link, &buf);
    }
}
