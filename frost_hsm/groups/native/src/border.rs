//! The border: buffers of the caller, and panics.
//!
//! Nothing of the caller's is borrowed while something is written: pieces are copied in, results are copied out. So
//! buffers that overlap do no harm, and one buffer may be target and source.

use crate::curve::{Status, FAULT, MISUSED};
use std::mem::size_of;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice};

/// Do `work`; a panic is a `FAULT`, not the end of the caller's process.
pub fn guarded(work: impl FnOnce() -> Result<Status, Status>) -> Status {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(status) | Err(status)) => status,
        Err(_) => FAULT,
    }
}

/// The longest piece of a buffer that is read at once: x and y of Ed448.
const LONGEST: usize = 112;

/// A piece of a buffer, copied.
pub struct Piece([u8; LONGEST], usize);

impl std::ops::Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

impl std::ops::DerefMut for Piece {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0[..self.1]
    }
}

/// What the caller lends for reading.
#[derive(Clone, Copy)]
pub struct In {
    data: *const u8,
    length: usize,
}

impl In {
    /// # Safety
    /// `data` is to `length` bytes, which stay for as long as this.
    pub unsafe fn new(data: *const u8, length: usize) -> Result<In, Status> {
        if data.is_null() && length > 0 || length > isize::MAX as usize {
            return Err(MISUSED);
        }
        Ok(In { data, length })
    }

    /// Count pieces of one size. A rest is misuse.
    pub fn count(&self, size: usize) -> Result<usize, Status> {
        if self.length % size != 0 {
            return Err(MISUSED);
        }
        Ok(self.length / size)
    }

    /// Insist on a number of pieces of one size.
    pub fn expect(&self, count: usize, size: usize) -> Result<(), Status> {
        if count.checked_mul(size) != Some(self.length) {
            return Err(MISUSED);
        }
        Ok(())
    }

    /// Lend all of it, for as long as nothing is written.
    pub fn all(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        unsafe { slice::from_raw_parts(self.data, self.length) }
    }

    /// Copy the k-th piece of one size.
    pub fn piece(&self, k: usize, size: usize) -> Piece {
        let mut piece = Piece([0; LONGEST], size);
        piece.0[..size].copy_from_slice(&self.all()[k * size..(k + 1) * size]);
        piece
    }

    /// Copy the k-th of values without invalid bit patterns.
    pub fn value<T: Copy>(&self, k: usize) -> T {
        let data = self.all()[k * size_of::<T>()..(k + 1) * size_of::<T>()].as_ptr();
        unsafe { ptr::read_unaligned(data.cast()) }
    }
}

/// What the caller lends for writing.
#[derive(Clone, Copy)]
pub struct Out {
    data: *mut u8,
    length: usize,
}

impl Out {
    /// # Safety
    /// `data` is to `length` bytes, which stay for as long as this.
    pub unsafe fn new(data: *mut u8, length: usize) -> Result<Out, Status> {
        In::new(data, length)?;
        Ok(Out { data, length })
    }

    /// Look at it as at what is read.
    pub fn read(&self) -> In {
        In {
            data: self.data,
            length: self.length,
        }
    }

    /// Insist on a number of pieces of one size.
    pub fn expect(&self, count: usize, size: usize) -> Result<(), Status> {
        self.read().expect(count, size)
    }

    /// Write the k-th piece of one size, once `fill` has made it.
    pub fn put(&self, k: usize, size: usize, fill: impl FnOnce(&mut [u8])) {
        assert!((k + 1) * size <= self.length);
        let mut piece = [0; LONGEST];
        fill(&mut piece[..size]);
        unsafe { ptr::copy_nonoverlapping(piece.as_ptr(), self.data.add(k * size), size) }
    }

    /// Write the k-th of values without padding.
    pub fn put_value<T: Copy>(&self, k: usize, value: T) {
        assert!((k + 1) * size_of::<T>() <= self.length);
        unsafe { ptr::write_unaligned(self.data.add(k * size_of::<T>()).cast(), value) }
    }
}
