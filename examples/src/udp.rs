//! The driver of a datagram machine: one UDP socket, a clock, and the loop that sends, waits and receives.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::Instant;

/// Longer than any datagram of the programs.
const LONGEST: usize = 8_192;
/// A socket does not accept a wait of zero.
const SHORTEST: Duration = Duration::from_millis(1);
/// What a socket reports while no datagram is there. Some systems also report here that nobody listens at an address
/// that was sent to; the machine learns this from the missing answer.
const NO_DATAGRAM: [ErrorKind; 5] = [
    ErrorKind::WouldBlock,
    ErrorKind::TimedOut,
    ErrorKind::Interrupted,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
];

/// A machine over datagrams, with what the program does beside it, such as a trace.
pub trait Datagrams {
    /// Processes a datagram.
    fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]);

    /// Fires expired timers.
    fn handle_timeout(&mut self, now: Duration);

    /// Returns the next deadline.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Writes the next datagram into `buf`, which has 8,192 bytes; returns its destination and length.
    ///
    /// # Errors
    ///
    /// What the machine reports, which ends the program.
    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String>;
}

/// A UDP socket and the clock of its machine.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    connected: bool,
    start: Instant,
    buf: Vec<u8>,
}

impl Udp {
    /// Opens a socket. The clock starts here.
    ///
    /// # Errors
    ///
    /// A sentence that names the address.
    pub fn bind(listen: SocketAddr) -> Result<Self, String> {
        let socket = UdpSocket::bind(listen)
            .map_err(|error| format!("cannot listen on {listen} (UDP): {error}"))?;
        Ok(Self { socket, connected: false, start: Instant::now(), buf: vec![0; LONGEST] })
    }

    /// Opens a socket that exchanges datagrams with one server only. That nobody listens there is an error of
    /// [`turn`](Self::turn).
    ///
    /// # Errors
    ///
    /// A sentence that names the address.
    pub fn connect(server: SocketAddr) -> Result<Self, String> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from(([0_u8; 4], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], 0)),
        };
        let mut udp = Self::bind(any)?;
        let connected = udp.socket.connect(server);
        connected.map_err(|error| format!("cannot send to {server}: {error}"))?;
        udp.connected = true;
        Ok(udp)
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the address of the socket.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.socket.local_addr().map_err(|error| error.to_string())
    }

    /// Sends everything that is due. What the network refuses is lost, as it may be anywhere.
    ///
    /// # Errors
    ///
    /// The error of the machine.
    pub fn flush(&mut self, machine: &mut impl Datagrams) -> Result<(), String> {
        while let Some((to, len)) = machine.poll_transmit(&mut self.buf)? {
            let bytes = &self.buf[..len];
            let sent = if self.connected {
                self.socket.send(bytes)
            } else {
                self.socket.send_to(bytes, to)
            };
            let _ = sent; // what the network refuses is lost
        }
        Ok(())
    }

    /// Sends everything that is due, waits for one datagram until the next deadline or for `patience`, and fires
    /// expired timers. Returns whether a datagram was received.
    ///
    /// # Errors
    ///
    /// The error of the machine or of the socket.
    pub fn turn(
        &mut self,
        machine: &mut impl Datagrams,
        patience: Duration,
    ) -> Result<bool, String> {
        self.flush(machine)?;
        let due = machine.poll_timeout().unwrap_or(Duration::MAX);
        let wait = due.saturating_sub(self.now()).min(patience).max(SHORTEST);
        let set = self.socket.set_read_timeout(Some(wait));
        let received = match set.and_then(|()| self.socket.recv_from(&mut self.buf)) {
            Ok((len, from)) => {
                machine.handle_datagram(self.start.elapsed(), from, &self.buf[..len]);
                true
            }
            Err(error) if self.connected && error.kind() == ErrorKind::ConnectionRefused => {
                return Err("nobody listens there".into());
            }
            Err(error) if NO_DATAGRAM.contains(&error.kind()) => false,
            Err(error) => return Err(cannot_receive(&error)),
        };
        machine.handle_timeout(self.now());
        Ok(received)
    }
}

fn cannot_receive(error: &io::Error) -> String {
    format!("cannot receive: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    /// Answers each datagram by its length, and counts expired timers.
    #[derive(Default)]
    struct Echo {
        answers: Vec<(SocketAddr, u8)>,
        deadline: Option<Duration>,
        expired: usize,
    }

    impl Datagrams for Echo {
        fn handle_datagram(&mut self, _: Duration, from: SocketAddr, bytes: &[u8]) {
            self.answers.push((from, bytes.len() as u8));
        }

        fn handle_timeout(&mut self, now: Duration) {
            if self.deadline.is_some_and(|at| at <= now) {
                self.deadline = None;
                self.expired += 1;
            }
        }

        fn poll_timeout(&self) -> Option<Duration> {
            self.deadline
        }

        fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String> {
            let Some((to, len)) = self.answers.pop() else { return Ok(None) };
            buf[0] = len;
            Ok(Some((to, 1)))
        }
    }

    fn socket() -> Udp {
        Udp::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap()
    }

    #[test]
    fn a_datagram_is_handled_and_its_answer_sent_in_the_next_turn() {
        let mut udp = socket();
        let mut echo = Echo::default();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.send_to(b"seven..", udp.address().unwrap()).unwrap();
        assert!(udp.turn(&mut echo, Duration::from_secs(20)).unwrap());
        assert_eq!(echo.answers.len(), 1);
        assert!(!udp.turn(&mut echo, SHORTEST).unwrap());
        let mut answer = [0; 8];
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
        assert_eq!(answer[0], 7);
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let mut udp = socket();
        let mut echo = Echo { deadline: Some(udp.now()), ..Echo::default() };
        while echo.expired == 0 {
            assert!(!udp.turn(&mut echo, Duration::from_secs(3_600)).unwrap());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_server_that_does_not_listen_is_an_error_of_a_connected_socket() {
        let closed = socket().address().unwrap();
        let mut udp = Udp::connect(closed).unwrap();
        let mut echo = Echo { answers: vec![(closed, 1)], ..Echo::default() };
        let turns = core::iter::from_fn(|| Some(udp.turn(&mut echo, Duration::from_secs(1))));
        let refused = turns.take(20).find_map(Result::err);
        assert_eq!(refused.as_deref(), Some("nobody listens there"));
    }

    #[test]
    fn an_address_where_nobody_listens_is_no_error() {
        let mut udp = socket();
        let closed = socket().address().unwrap();
        let mut echo = Echo { answers: vec![(closed, 1)], ..Echo::default() };
        for _ in 0..3 {
            assert!(!udp.turn(&mut echo, SHORTEST).unwrap());
        }
    }
}
