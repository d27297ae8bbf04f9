//! Wiping what a computation with secrets leaves on the stack.
//!
//! The crates wipe the scalars that they are told to, but copies, digits and tables of multiples stay where the stack
//! was. So whatever takes a secret runs in a frame of its own, and afterwards more than it used is overwritten.
//! Registers are not: what is in them is soon reused.

use std::hint::black_box;
use zeroize::Zeroize;

/// Words of stack that are overwritten: a test looks for secrets below what is left.
const DEPTH: usize = 2048;

/// Do `work`, whose result is public or nothing, and leave none of its stack behind.
pub fn wiped<T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    overwrite();
    result
}

#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite() {
    let mut below = [0u64; DEPTH];
    black_box(&mut below).zeroize();
}
