//! What all torrents of the program share.

use core::cell::RefCell;
use std::rc::Rc;

use super::args::Share;
use super::dht::Dht;
use super::limit::RateLimit;
use super::net::Net;
use super::open_files::OpenFiles;

/// One listening port, one node of the DHT, one cache of open files, and one limit for each direction.
pub struct Shared {
    pub net: Net,
    pub dht: Option<Dht>,
    pub open: Rc<RefCell<OpenFiles>>,
    pub down: RateLimit,
    pub up: RateLimit,
}

impl Shared {
    /// Opens the listening port, and starts the node of the DHT if the user wants one.
    pub fn open(args: &Share) -> Result<Self, String> {
        let net = Net::listen(args.listen, args.encryption, args.utp, args.trace)?;
        let dht = args.runs_dht().then(|| Dht::start(args, net.address(), net.mailbox()));
        Ok(Self {
            net,
            dht,
            open: Rc::default(),
            down: RateLimit::new(args.limit_down),
            up: RateLimit::new(args.limit_up),
        })
    }
}
