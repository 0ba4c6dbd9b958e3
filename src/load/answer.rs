//! An answer as HTTP/1.1 has it, read from whatever pieces it arrives in. Nothing here waits.
//!
//! hyper would read it too, but at a price that shows: a generator that takes more CPU for a request than the server
//! does measures itself.

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Response, Status, parse_chunk_size};

use super::fault::{CacheWord, Fault};

/// A buffer begins with this much, which most answers fit into.
const FIRST_ROOM: usize = 8 << 10;
/// A head, or a line between chunks, may have this much.
pub(super) const LARGEST_HEAD: usize = 64 << 10;
/// Fields that a head may have.
pub(super) const MOST_FIELDS: usize = 128;
/// Answers that only announce another one (status 1xx), or trailers, before it gets silly.
const MOST_ASIDES: u32 = 64;
/// More body than this is not an answer but a mistake, and would be held in memory.
const LARGEST_BODY: u64 = 64 << 20;
/// A body's buffer that grew beyond this is given back: there may be thousands of connections.
const KEPT_ROOM: usize = 64 << 10;

/// What becomes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Body {
    /// It is looked at when it is whole.
    #[default]
    Kept,
    /// Its lines are looked at as they come, and taken away.
    Lines,
    /// Its bytes are counted.
    Counted,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Some of it is missing.
    More,
    /// Nothing is.
    Whole,
}

/// The part of an answer that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    #[default]
    Head,
    /// So many bytes.
    Length(u64),
    /// Everything until the connection ends.
    ToEnd,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    Nothing,
}

/// What one connection receives.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) room: Vec<u8>,
    /// What has arrived and is not used yet: `room[from..to]`.
    from: usize,
    to: usize,
    next: Next,
    asides: u32,
    has_body: bool,
    body: Body,
    pub(super) status: u16,
    pub(super) cache: Option<CacheWord>,
    /// Of the body.
    pub(super) bytes: u64,
    /// The body, if it is kept; of one in lines what has not been taken away.
    pub(super) kept: Vec<u8>,
    /// Whether the server keeps the connection open after this answer.
    pub(super) stays_open: bool,
}

/// What a head says about its body and its connection.
struct Head {
    status: u16,
    cache: Option<CacheWord>,
    next: Next,
    stays_open: bool,
}

impl Inbox {
    /// Begins an answer; one to `HEAD` has no body, whatever its head says.
    pub(super) fn begin(&mut self, is_head: bool, body: Body) {
        if self.kept.capacity() > KEPT_ROOM {
            self.kept = Vec::new();
        }
        self.kept.clear();
        (self.from, self.to, self.bytes, self.asides) = (0, 0, 0, 0);
        self.next = Next::Head;
        self.has_body = !is_head;
        self.body = body;
    }

    /// Where the next bytes go.
    pub(super) fn room(&mut self) -> Result<&mut [u8], Fault> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.to == self.room.len() && self.from > 0 {
            self.room.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        if self.to == self.room.len() {
            if self.room.len() >= LARGEST_HEAD {
                return Err(Fault::BadResponse);
            }
            self.room.resize((self.room.len() * 2).max(FIRST_ROOM), 0);
        }
        Ok(&mut self.room[self.to..])
    }

    /// So many bytes have arrived there.
    pub(super) fn arrived(&mut self, count: usize) {
        self.to += count;
    }

    /// The connection has ended: that may be the end of the answer, too.
    pub(super) fn ended(&mut self) -> Result<(), Fault> {
        match self.next {
            Next::ToEnd | Next::Nothing => {
                self.next = Next::Nothing;
                self.stays_open = false;
                Ok(())
            }
            _ => Err(self.broken()),
        }
    }

    /// What it means that no more can be read.
    pub(super) fn broken(&self) -> Fault {
        if self.next == Next::Head { Fault::Reset } else { Fault::BodyTruncated }
    }

    /// Reads as far as it can.
    pub(super) fn look(&mut self) -> Result<Look, Fault> {
        loop {
            let is_on = match self.next {
                Next::Head => self.head()?,
                Next::Length(left) => {
                    let left = left - self.take(left)?;
                    self.next = if left == 0 { Next::Nothing } else { Next::Length(left) };
                    left == 0
                }
                Next::ToEnd => {
                    self.take(u64::MAX)?;
                    false
                }
                Next::ChunkSize => self.chunk_size()?,
                Next::Chunk(left) => {
                    let left = left - self.take(left)?;
                    self.next = if left == 0 { Next::ChunkEnd } else { Next::Chunk(left) };
                    left == 0
                }
                Next::ChunkEnd => self.chunk_end()?,
                Next::Trailer => self.trailer()?,
                Next::Nothing => {
                    // What comes after an answer was not asked for: nobody knows where the next one begins.
                    self.stays_open &= self.from == self.to;
                    return Ok(Look::Whole);
                }
            };
            if !is_on {
                return Ok(Look::More);
            }
        }
    }

    /// Takes up to so many bytes of the body.
    fn take(&mut self, most: u64) -> Result<u64, Fault> {
        let here = self.to - self.from;
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(here);
        self.bytes += count as u64;
        // Lines may go on for ever; one line may not.
        let held =
            if self.body == Body::Lines { (self.kept.len() + count) as u64 } else { self.bytes };
        if held > LARGEST_BODY {
            return Err(Fault::BodyTooLarge);
        }
        if self.body != Body::Counted {
            self.kept.extend_from_slice(&self.room[self.from..self.from + count]);
        }
        self.from += count;
        Ok(count as u64)
    }

    fn head(&mut self) -> Result<bool, Fault> {
        let Some((length, head)) = read_head(&self.room[self.from..self.to])? else {
            return Ok(false);
        };
        self.from += length;
        if (100..200).contains(&head.status) {
            // A switch of protocols was not asked for.
            return if head.status == 101 { Err(Fault::BadResponse) } else { self.aside() };
        }
        let is_empty = !self.has_body || matches!(head.status, 204 | 304);
        self.next =
            if is_empty || head.next == Next::Length(0) { Next::Nothing } else { head.next };
        self.status = head.status;
        self.cache = head.cache;
        self.stays_open = head.stays_open && self.next != Next::ToEnd;
        Ok(true)
    }

    fn aside(&mut self) -> Result<bool, Fault> {
        self.asides += 1;
        if self.asides > MOST_ASIDES { Err(Fault::BadResponse) } else { Ok(true) }
    }

    fn chunk_size(&mut self) -> Result<bool, Fault> {
        match parse_chunk_size(&self.room[self.from..self.to]) {
            Ok(Status::Complete((length, size))) => {
                self.from += length;
                self.next = if size == 0 { Next::Trailer } else { Next::Chunk(size) };
                Ok(true)
            }
            Ok(Status::Partial) => Ok(false),
            Err(_) => Err(Fault::BodyTruncated),
        }
    }

    fn chunk_end(&mut self) -> Result<bool, Fault> {
        match &self.room[self.from..self.to] {
            [b'\r', b'\n', ..] => {
                self.from += 2;
                self.next = Next::ChunkSize;
                Ok(true)
            }
            [] | [b'\r'] => Ok(false),
            _ => Err(Fault::BodyTruncated),
        }
    }

    fn trailer(&mut self) -> Result<bool, Fault> {
        let here = &self.room[self.from..self.to];
        let Some(end) = here.iter().position(|byte| *byte == b'\n') else { return Ok(false) };
        let is_last = matches!(&here[..end], [] | [b'\r']);
        self.from += end + 1;
        if is_last {
            self.next = Next::Nothing;
            return Ok(true);
        }
        self.aside()
    }
}

/// A head and its length, if it is whole.
fn read_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut response = Response::new(&mut []);
    let parser = ParserConfig::default();
    let read = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    let Status::Complete(end) = read.map_err(|_| Fault::BadResponse)? else { return Ok(None) };
    let mut stays_open = response.version == Some(1);
    let (mut length, mut coding, mut cache) = (None, None, None);
    for field in response.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let said = read_length(field.value)?;
            if length.replace(said).is_some_and(|before| before != said) {
                return Err(Fault::BadResponse);
            }
        } else if is("transfer-encoding") {
            coding = words(field.value).next_back();
        } else if is("connection") {
            for word in words(field.value) {
                match word {
                    word if word.eq_ignore_ascii_case(b"close") => stays_open = false,
                    word if word.eq_ignore_ascii_case(b"keep-alive") => stays_open = true,
                    _ => {}
                }
            }
        } else if is("x-cache") {
            cache = Some(CacheWord::read(field.value));
        }
    }
    let next = match (coding, length) {
        (Some(word), None) if word.eq_ignore_ascii_case(b"chunked") => Next::ChunkSize,
        // Both at once is how requests are smuggled; no server that means well does it.
        (Some(_), Some(_)) => return Err(Fault::BadResponse),
        (None, Some(length)) => Next::Length(length),
        (_, None) => Next::ToEnd,
    };
    let status = response.code.ok_or(Fault::BadResponse)?;
    Ok(Some((end, Head { status, cache, next, stays_open })))
}

fn read_length(value: &[u8]) -> Result<u64, Fault> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or(Fault::BadResponse)
}

/// The parts of a list with commas.
fn words(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
