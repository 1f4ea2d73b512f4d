//! Bodies of vendor messages.

use gnutella_wire::DecodeError;
use gnutella_wire::wire::{Function, VendorMessage};

/// A payload of function 31 encodes back to its bytes.
pub fn payload(bytes: &[u8]) {
    match VendorMessage::decode(bytes) {
        Ok(message) => {
            let mut out = vec![0; message.encoded_len()];
            assert_eq!(message.encode(&mut out), Ok(out.len()));
            assert_eq!(out, bytes);
            assert!(message.encode(&mut out[1..]).is_err_and(|e| e.needed == bytes.len()));
            assert!(!message.to_string().contains(['\n', '\r']), "a trace is one line");
            match message {
                VendorMessage::MessagesSupported(list) => assert!(list.iter().count() < 65_536),
                VendorMessage::FeaturesSupported(list) => assert!(list.iter().count() < 65_536),
                _ => {}
            }
        }
        Err(error) => {
            let function = Function::VENDOR;
            let len = bytes.len();
            assert_eq!(error, DecodeError::Malformed { function, len });
        }
    }
}
