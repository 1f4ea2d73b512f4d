//! The driver against itself, over loopback.

use super::*;
use core::net::Ipv4Addr;
use pow::ConnId;

const LONG: Duration = Duration::from_secs(20);
type Net = Tcp<ConnId, &'static str>;

fn listening() -> Net {
    Net::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
}

/// Turns both ends until the first reports an event.
fn next(one: &mut Net, other: &mut Net) -> Event<ConnId, &'static str> {
    let start = Instant::now();
    while start.elapsed() < LONG {
        let events = one.turn(Some(Duration::from_millis(5))).unwrap();
        other.turn(Some(Duration::from_millis(5))).unwrap();
        if let Some(event) = events.into_iter().next() {
            return event;
        }
    }
    panic!("nothing happens");
}

#[test]
fn what_is_sent_before_the_connection_opens_arrives_and_is_read_until_nothing_is_consumed() {
    let mut server = listening().numbered_from(7);
    let mut client = Net::dialler().unwrap();
    let dialled = client.dial(server.address()).unwrap();
    client.send(dialled, b"abcde");
    assert_eq!(next(&mut client, &mut server), Event::Opened { conn: dialled, dialled: true });
    let conn = server.ids()[0];
    assert_eq!(conn, ConnId(7));
    while server.conn(conn).unwrap().received.len() < 5 {
        server.turn(Some(LONG)).unwrap();
    }
    let mut read = Vec::new();
    server.receive(conn, |bytes| {
        let pair = bytes.get(..2).unwrap_or_default();
        read.push(pair.to_vec());
        pair.len()
    });
    assert_eq!(read, [&b"ab"[..], b"cd", b""]);
    assert_eq!(&*server.conn(conn).unwrap().received, b"e");
    server.close(conn);
    assert_eq!(next(&mut client, &mut server), Event::Closed(dialled));
    assert!(server.is_empty() && client.is_empty());
}

#[test]
fn a_dial_that_fails_is_reported_as_closed() {
    let address = listening().address();
    let mut client = Net::dialler().unwrap();
    let mut other = listening();
    if let Some(conn) = client.dial(address) {
        assert_eq!(next(&mut client, &mut other), Event::Closed(conn));
    }
}

#[test]
fn a_message_of_another_thread_ends_the_wait() {
    let mut net = listening();
    let mailbox = net.mailbox();
    let thread = std::thread::spawn(move || mailbox.send("hello"));
    let events = net.turn(None).unwrap();
    thread.join().unwrap();
    assert_eq!(events, [Event::Message("hello")]);
}

#[test]
fn a_connection_that_does_not_read_is_closed_before_it_holds_much() {
    let mut server = listening();
    let stream = std::net::TcpStream::connect(server.address()).unwrap();
    while server.is_empty() {
        server.turn(Some(LONG)).unwrap();
    }
    let conn = server.ids()[0];
    let much = vec![0; 1 << 20];
    let mut sent = 0_usize;
    while sent < 1 << 30 && server.conn(conn).is_some() {
        server.send(conn, &much);
        sent += much.len();
        server.turn(Some(Duration::ZERO)).unwrap();
    }
    assert!(server.is_empty(), "after {sent} bytes");
    drop(stream);
}

#[test]
fn bytes_that_arrive_with_the_close_are_reported_before_it() {
    let mut server = listening();
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"the last bytes").unwrap();
    drop(stream);
    let mut read = Vec::new();
    let start = Instant::now();
    while start.elapsed() < LONG {
        for event in server.turn(Some(LONG)).unwrap() {
            match event {
                Event::Bytes(conn) => server.receive(conn, |bytes| {
                    read.extend_from_slice(bytes);
                    bytes.len()
                }),
                Event::Closed(conn) => {
                    assert_eq!(read, b"the last bytes");
                    assert!(server.conn(conn).is_none());
                    return;
                }
                Event::Opened { .. } | Event::Message(_) => {}
            }
        }
    }
    panic!("the close is never reported");
}
