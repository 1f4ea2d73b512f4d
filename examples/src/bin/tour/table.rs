//! The table in which the tour ends.

use core::fmt;
use std::time::Instant;

use crate::ctx::Ctx;

pub struct Table {
    pub rows: Vec<Row>,
}

pub struct Row {
    pub stage: &'static str,
    pub messages: u64,
    pub bytes: u64,
    pub millis: u128,
    /// What was checked, and whether it held.
    pub checks: Vec<(bool, String)>,
    began: core::time::Duration,
    clock: Instant,
}

impl Table {
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub fn begin(&mut self, ctx: &mut Ctx, stage: &'static str) -> Row {
        ctx.begin(stage);
        Row {
            stage,
            messages: 0,
            bytes: 0,
            millis: 0,
            checks: Vec::new(),
            began: ctx.now(),
            clock: Instant::now(),
        }
    }

    pub fn end(&mut self, ctx: &mut Ctx, mut row: Row) {
        row.messages = ctx.messages;
        row.bytes = ctx.bytes;
        // The simulated network has a time of its own, so that two runs print the same table.
        let virtual_time = ctx.now().saturating_sub(row.began);
        let spent = if ctx.args.sim { virtual_time } else { row.clock.elapsed() };
        row.millis = spent.as_millis();
        self.rows.push(row);
    }

    pub fn all_ok(&self) -> bool {
        self.rows.len() == 6 && self.rows.iter().all(Row::is_ok)
    }
}

impl Row {
    /// Records a check and prints it unless `--quiet` is given.
    pub fn check(&mut self, ctx: &mut Ctx, holds: bool, what: String) {
        let mark = if holds { "ok" } else { "FAILED" };
        ctx.tell(format_args!("{mark:<6} {what}"));
        self.checks.push((holds, what));
    }

    pub fn is_ok(&self) -> bool {
        self.checks.iter().all(|(holds, _)| *holds)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {:<8} {:>9} {:>14} {:>9}  verdict", "stage", "messages", "bytes", "ms")?;
        for row in &self.rows {
            let verdict = if row.is_ok() { "OK" } else { "FAILED" };
            writeln!(
                f,
                "  {:<8} {:>9} {:>14} {:>9}  {verdict}",
                row.stage, row.messages, row.bytes, row.millis
            )?;
        }
        for (_, what) in self.rows.iter().flat_map(|row| &row.checks).filter(|(holds, _)| !holds) {
            writeln!(f, "  FAILED: {what}")?;
        }
        Ok(())
    }
}
