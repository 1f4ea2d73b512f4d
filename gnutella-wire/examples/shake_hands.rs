//! The handshake of 0.6 between two ends, printed step by step.
//! `cargo run -p gnutella-wire --example shake_hands`

use core::error::Error;

use gnutella_wire::Neighbour;
use gnutella_wire::handshake::Handshake;
use gnutella_wire::head::Header;

fn main() -> Result<(), Box<dyn Error>> {
    let mut dialler = Handshake::dialler_06();
    let mut acceptor = Handshake::acceptor();
    let mut buf = [0; 512];

    let headers = [Header::new("X-Ultrapeer", "False"), Header::new("X-Query-Routing", "0.1")];
    let len = dialler.greet(&headers, &mut buf)?;
    print!("{}", String::from_utf8_lossy(&buf[..len]));

    let step = acceptor.handle_bytes(&buf[..len])?.outcome.ok_or("a whole head")?;
    println!("the dialler is a {:?}\n", Neighbour::of_head(&step.head).role);

    let len = acceptor.agree(&[Header::new("X-Ultrapeer", "True")], &mut buf)?;
    print!("{}", String::from_utf8_lossy(&buf[..len]));
    dialler.handle_bytes(&buf[..len])?;

    let len = dialler.agree(&[], &mut buf)?;
    print!("{}", String::from_utf8_lossy(&buf[..len]));
    acceptor.handle_bytes(&buf[..len])?;
    println!("{:?}, {:?}", dialler.state(), acceptor.state());
    Ok(())
}
