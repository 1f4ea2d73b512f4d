//! What is printed at the end of a session.

use examples::progress::size;

use super::json::Json;
use super::report::{Progress, Report};

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    Signal,
    GaveUp,
}

/// Prints what was done, and how to continue.
pub fn summary(report: &Report, state: &Progress, end: End) {
    let how = match end {
        End::Complete => "done",
        End::Signal => "stopped by a signal",
        End::GaveUp => "stopped by the time limit",
    };
    let fields = vec![
        ("end", Json::text(how)),
        ("have", Json::Number(state.have.into())),
        ("pieces", Json::Number(state.pieces.into())),
        ("received_bytes", Json::Number(state.received)),
        ("sent_bytes", Json::Number(state.sent)),
    ];
    report.event("end", fields, || {
        let more = if state.here < state.wanted { "; run it again to continue" } else { "" };
        format!(
            "{how}: {} of {} pieces, {} received, {} sent{more}",
            state.have,
            state.pieces,
            size(state.received),
            size(state.sent),
        )
    });
}
