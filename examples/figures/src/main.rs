//! Measures the crates beside published crates that do the same: all contestants in turn, in one run, CPU
//! time of one thread, the best of several rounds. Only ratios of one run mean something.
//!
//! ```sh
//! cargo run --release --manifest-path examples/figures/Cargo.toml            # all tables
//! cargo run --release --manifest-path examples/figures/Cargo.toml -- headers # one of them
//! ```

mod headers;
mod measure;
mod merkle;
mod routes;

use std::process::ExitCode;

const TABLES: [(&str, fn()); 3] =
    [("headers", headers::print), ("merkle", merkle::print), ("routes", routes::print)];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|name| name == "--help") {
        println!("Usage: figures [TABLE]...\n\nTables: {}\nExample: figures headers", names());
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = wanted.iter().find(|name| TABLES.iter().all(|(known, _)| known != name))
    {
        eprintln!("figures: no table {unknown}; there are {}", names());
        return ExitCode::from(2);
    }
    for (name, print) in TABLES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            print();
        }
    }
    ExitCode::SUCCESS
}

fn names() -> String {
    TABLES.map(|(name, _)| name).join(", ")
}
