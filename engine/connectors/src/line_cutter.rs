//! Cuts a stream of bytes into lines and parses them.
//!
//! Invariant: a line is copied once out of its chunk, wherever chunks begin and end; a final line
//! without an end is a line. A line ends with a line feed; a carriage return in front of it belongs
//! to the end. Does not know where the bytes come from.

use std::io::BufRead as _;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use sameriver_operator::source::SourceError;

use crate::line_parser::LineParser;

/// The longest line that is read unless the user says otherwise: 16 MiB.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

const NOT_UTF8: &str = "convert the input to UTF-8, for example with iconv";
const NOT_A_RECORD: &str = "mend the line, or parse it in a function that passes over it";
const TOO_LONG: &str = "check that the input is text with line feeds, or raise `line_bytes_max`";

/// The state between two chunks of one input.
pub(crate) struct LineCutter<P> {
    input: Arc<str>,
    parser: P,
    line_bytes_max: usize,
    /// The current line as far as it has come.
    line: Vec<u8>,
    /// Where the current line starts in the input, in bytes.
    start: u64,
    /// The line that is no record.
    marker: Option<Arc<str>>,
    /// Whether the marker came since this was asked for.
    is_marked: bool,
    /// The current line's number, counted from 1, if the input was read from its beginning.
    number: Option<u64>,
}

impl<P: LineParser> LineCutter<P> {
    /// Cuts `input` from byte `start` on, where a line starts.
    pub(crate) fn new(input: Arc<str>, parser: P, line_bytes_max: usize, start: u64) -> Self {
        Self {
            input,
            parser,
            line_bytes_max,
            line: Vec::new(),
            start,
            marker: None,
            is_marked: false,
            number: (start == 0).then_some(1),
        }
    }

    /// The same, for which a line is a marker and no record.
    pub(crate) fn with_marker(mut self, marker: Option<Arc<str>>) -> Self {
        self.marker = marker;
        self
    }

    /// Whether a marker came since the last call.
    pub(crate) fn take_marked(&mut self) -> bool {
        std::mem::take(&mut self.is_marked)
    }

    /// Where the current line starts.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Takes lines off the front of `chunk` until `into` has `max` records or the chunk is used up.
    pub(crate) fn cut(
        &mut self,
        chunk: &mut Bytes,
        into: &mut Vec<P::Out>,
        max: usize,
    ) -> Result<(), SourceError> {
        let mut rest = chunk.as_ref();
        while into.len() < max && !rest.is_empty() {
            let read = rest.read_until(b'\n', &mut self.line);
            read.expect("a slice of memory can be read");
            if self.line.len() > self.line_bytes_max {
                return Err(self.too_long());
            }
            if self.line.last() != Some(&b'\n') {
                break;
            }
            into.extend(self.record()?);
        }
        chunk.advance(chunk.len() - rest.len());
        Ok(())
    }

    /// The input has ended: takes the last line, if it has no end.
    pub(crate) fn end(&mut self, into: &mut Vec<P::Out>) -> Result<(), SourceError> {
        if !self.line.is_empty() {
            into.extend(self.record()?);
        }
        Ok(())
    }

    /// The record of the current line; none if it is the marker.
    fn record(&mut self) -> Result<Option<P::Out>, SourceError> {
        let length = self.line.len() as u64;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        let line = String::from_utf8(std::mem::take(&mut self.line));
        let mut line = line.map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let cause = format!("byte {} of the line is not UTF-8", good + 1);
            self.bad(cause, NOT_UTF8)
        })?;
        let record = if self.marker.as_deref() == Some(line.as_str()) {
            self.is_marked = true;
            None
        } else {
            let record = self.parser.parse(&mut line);
            Some(record.map_err(|error| self.bad(error.to_string(), NOT_A_RECORD))?)
        };
        // The allocation serves the next line, unless the parser took it.
        self.line = line.into_bytes();
        self.line.clear();
        self.start += length;
        self.number = self.number.map(|number| number + 1);
        Ok(record)
    }

    fn too_long(&self) -> SourceError {
        let limit = self.line_bytes_max;
        self.bad(format!("the line is longer than {limit} bytes"), TOO_LONG)
    }

    fn bad(&self, cause: String, remedy: &'static str) -> SourceError {
        let start = self.start;
        SourceError::BadData {
            input: self.input.to_string(),
            at: match self.number {
                Some(number) => format!("line {number} (byte {start})"),
                None => format!("byte {start}"),
            },
            cause,
            remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_parser::Whole;

    fn lines(chunks: &[&[u8]], max: usize) -> Result<Vec<String>, SourceError> {
        let mut cutter = LineCutter::new(Arc::from("input"), Whole, 8, 0);
        let mut lines = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while !chunk.is_empty() {
                let limit = lines.len() + max;
                cutter.cut(&mut chunk, &mut lines, limit)?;
            }
        }
        cutter.end(&mut lines)?;
        Ok(lines)
    }

    #[test]
    fn a_line_may_lie_across_chunks() {
        let lines = lines(&[b"a\nbc", b"d", b"\r", b"\n\ne"], 1).expect("good lines");
        assert_eq!(lines, ["a", "bcd", "", "e"]);
    }

    #[test]
    fn a_marker_is_no_record_and_only_the_whole_line_is_one() {
        let cutter = LineCutter::new(Arc::from("input"), Whole, 9, 0);
        let mut cutter = cutter.with_marker(Some(Arc::from("--")));
        let mut chunk = Bytes::from_static(b"a\n-- \n--\r\nb\n--");
        let mut lines = Vec::new();
        cutter.cut(&mut chunk, &mut lines, 2).expect("good lines");
        assert_eq!(
            (lines.as_slice(), cutter.take_marked()),
            (&["a", "-- "].map(String::from)[..], false)
        );
        cutter.cut(&mut chunk, &mut lines, 9).expect("good lines");
        assert!(cutter.take_marked() && !cutter.take_marked());
        cutter.end(&mut lines).expect("good lines");
        assert!(
            cutter.take_marked(),
            "a final line without an end is a line"
        );
        assert_eq!(lines, ["a", "-- ", "b"]);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_named_with_its_number_and_byte() {
        let error = lines(&[b"ab\nc\xff\n"], 9).expect_err("0xff is not UTF-8");
        assert_eq!(
            error.to_string(),
            "bad data in input at line 2 (byte 3): byte 2 of the line is not UTF-8: convert the \
             input to UTF-8, for example with iconv"
        );
    }

    #[test]
    fn a_line_above_the_limit_is_refused_before_its_end_is_seen() {
        let error = lines(&[b"12345", b"6789"], 9).expect_err("nine bytes are too many");
        let expected =
            "bad data in input at line 1 (byte 0): the line is longer than 8 bytes: check";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
