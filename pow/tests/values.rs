//! How numbers print, and which kernels there are.

use pow::U256;
use pow::kernel::Kernel;

#[test]
fn numbers_print_in_hexadecimal_without_leading_zeros() {
    let number = U256::from(0x00AB_CDEF);
    assert_eq!(format!("{number} {number:?} {number:x}"), "abcdef abcdef abcdef");
    let high = number.unbounded_shl(64);
    assert_eq!(high.to_string(), "abcdef0000000000000000");
    assert_eq!(U256::from(0).to_string(), "0");
}

#[test]
fn the_portable_kernels_are_always_available() {
    let kernels: Vec<String> = Kernel::available().map(|kernel| format!("{kernel:?}")).collect();
    assert!(kernels.len() >= 2, "{kernels:?}");
    for (at, kernel) in kernels.iter().enumerate() {
        assert!(!kernels[..at].contains(kernel), "{kernel} twice");
    }
    let best = format!("{:?}", Kernel::best());
    assert!(kernels.contains(&best), "{best} is not available");
}
