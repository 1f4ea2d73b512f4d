//! Tells the linker where the board keeps its memory.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    let board = if target.starts_with("thumbv6m") { "microbit" } else { "an386" };
    println!("cargo:rustc-link-search={}/boards/{board}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rerun-if-changed=boards");
}
