//! What the page calls: bytes in, bytes out, through one buffer.
//!
//! The page writes a request as UTF-8 into the buffer that [`buffer`] returns, and calls [`call`], which returns the
//! length of the answer; [`buffer`] with length 0 returns where it lies. Requests are `open WORLD OPTIONS`, `trace`, and those of
//! [`Player::request`]. Answers are JSON: the view, or an object with the field `error`.

use core::cell::RefCell;

use crate::{Json, Player};

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static PLAYER: RefCell<Option<Player>> = const { RefCell::new(None) };
}

/// Returns the address of the buffer; makes it `len` bytes long unless that is 0.
#[expect(unsafe_code, reason = "the page finds the function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn buffer(len: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        if len > 0 {
            buffer.clear();
            buffer.resize(len, 0);
        }
        buffer.as_mut_ptr()
    })
}

/// Answers the request in the buffer, and returns the length of the answer.
#[expect(unsafe_code, reason = "the page finds the function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn call() -> usize {
    let request = BUFFER.take();
    let answer = match core::str::from_utf8(&request) {
        Ok(text) => answer(text),
        Err(error) => error_of(&error.to_string()),
    };
    BUFFER.set(answer.into_bytes());
    BUFFER.with_borrow(Vec::len)
}

/// Answers a request.
#[must_use]
pub fn answer(request: &str) -> String {
    let result = PLAYER.with_borrow_mut(|player| {
        if let Some(rest) = request.strip_prefix("open ") {
            let (world, options) = rest.split_once(' ').unwrap_or((rest, ""));
            let mut opened = Player::open(world, options)?;
            let view = opened.view();
            *player = Some(opened);
            return Ok(view);
        }
        let player = player.as_mut().ok_or("no world is open")?;
        match request {
            "trace" => Ok(Json::object([("trace", player.trace().into())])),
            _ => player.request(request),
        }
    });
    result.map_or_else(|error: String| error_of(&error), |view| view.to_string())
}

fn error_of(text: &str) -> String {
    Json::object([("error", text.into())]).to_string()
}
