//! Writes the `ordered` bytes of any value that serde can walk.
//!
//! Invariant: what would make two encodings of one value possible (floats, skipped fields, maps
//! without order) is an error. Leaves are inlined into the caller: a key is encoded per record.

use std::ops::Range;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::{Cause, OrderedError};
use crate::codec::field::{Field, FieldName};

/// Says that an element or an entry follows.
pub(super) const MORE: u8 = 1;
/// Says that no element or entry follows.
pub(super) const END: u8 = 0;
/// Says that there is no value.
pub(super) const NONE: u8 = 0;
/// Says that the value follows.
pub(super) const SOME: u8 = 1;
/// Follows a zero byte that is part of a string; a zero byte that is not ends the string.
pub(super) const ESCAPE: u8 = 0xFF;

/// Appends to a buffer that may already hold something.
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Encoder<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    #[inline]
    fn fields(self, owner: &'static str, variant: Option<&'static str>) -> Fields<'a> {
        Fields {
            out: self.out,
            owner,
            variant,
            next: 0,
        }
    }
}

/// A string of up to this many bytes, with its end, fits into one word.
const SHORT: usize = 6;

#[inline]
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= SHORT && put_short(out, bytes) {
        return;
    }
    if bytes.contains(&0) {
        put_escaped(out, bytes);
    } else {
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(&[0, 0]);
}

/// Puts a short string and its end down in one store, unless a byte needs its escape: who hashes
/// the bytes at once would wait for several small stores.
#[inline]
fn put_short(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let (mut word, mut zero) = (0_u64, false);
    for (position, &byte) in bytes.iter().enumerate() {
        word |= u64::from(byte) << (8 * position);
        zero |= byte == 0;
    }
    if zero {
        return false;
    }
    let end = out.len() + bytes.len() + 2;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
    true
}

#[cold]
fn put_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(ESCAPE);
        }
    }
}

macro_rules! unsigned {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), OrderedError> {
            self.out.extend_from_slice(&value.to_be_bytes());
            Ok(())
        }
    )*};
}

macro_rules! signed {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), OrderedError> {
            // The sign bit is flipped, so that negative numbers come first.
            self.out.extend_from_slice(&(value ^ <$type>::MIN).to_be_bytes());
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = OrderedError;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Tuple<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    unsigned! {
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
    }

    signed! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), OrderedError> {
        self.out.push(u8::from(value));
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), OrderedError> {
        self.serialize_u32(u32::from(value))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), OrderedError> {
        put_bytes(self.out, value.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), OrderedError> {
        put_bytes(self.out, value);
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), OrderedError> {
        Err(OrderedError::new(Cause::Float))
    }

    fn serialize_f64(self, _: f64) -> Result<(), OrderedError> {
        Err(OrderedError::new(Cause::Float))
    }

    #[inline]
    fn serialize_none(self) -> Result<(), OrderedError> {
        self.out.push(NONE);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), OrderedError> {
        self.out.push(SOME);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), OrderedError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), OrderedError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), OrderedError> {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), OrderedError> {
        self.fields(name, None).put(FieldName::Numbered(0), value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), OrderedError> {
        self.out.extend_from_slice(&index.to_be_bytes());
        self.fields(name, Some(variant))
            .put(FieldName::Numbered(0), value)
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, OrderedError> {
        Ok(Elements { out: self.out })
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Tuple<'a>, OrderedError> {
        Ok(Tuple { out: self.out })
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, OrderedError> {
        Ok(self.fields(name, None))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, OrderedError> {
        self.out.extend_from_slice(&index.to_be_bytes());
        Ok(self.fields(name, Some(variant)))
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, OrderedError> {
        Ok(Entries {
            out: self.out,
            previous: None,
        })
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, OrderedError> {
        Ok(self.fields(name, None))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, OrderedError> {
        self.out.extend_from_slice(&index.to_be_bytes());
        Ok(self.fields(name, Some(variant)))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a sequence, each behind a marker.
pub(super) struct Elements<'a> {
    out: &'a mut Vec<u8>,
}

impl SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = OrderedError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OrderedError> {
        self.out.push(MORE);
        value.serialize(Encoder::new(self.out))
    }

    #[inline]
    fn end(self) -> Result<(), OrderedError> {
        self.out.push(END);
        Ok(())
    }
}

/// The members of a tuple, one after the other.
pub(super) struct Tuple<'a> {
    out: &'a mut Vec<u8>,
}

impl SerializeTuple for Tuple<'_> {
    type Ok = ();
    type Error = OrderedError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OrderedError> {
        value.serialize(Encoder::new(self.out))
    }

    #[inline]
    fn end(self) -> Result<(), OrderedError> {
        Ok(())
    }
}

/// The entries of a map, each behind a marker.
pub(super) struct Entries<'a> {
    out: &'a mut Vec<u8>,
    previous: Option<Range<usize>>,
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = OrderedError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), OrderedError> {
        self.out.push(MORE);
        let start = self.out.len();
        key.serialize(Encoder::new(self.out))?;
        let key = start..self.out.len();
        if let Some(previous) = self.previous.replace(key.clone())
            && self.out[previous] >= self.out[key]
        {
            return Err(OrderedError::new(Cause::MapOrder));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OrderedError> {
        value.serialize(Encoder::new(self.out))
    }

    fn end(self) -> Result<(), OrderedError> {
        self.out.push(END);
        Ok(())
    }
}

/// The fields of a struct or a variant, one after the other.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    owner: &'static str,
    variant: Option<&'static str>,
    next: usize,
}

impl Fields<'_> {
    #[inline]
    fn put<T: Serialize + ?Sized>(
        &mut self,
        name: FieldName,
        value: &T,
    ) -> Result<(), OrderedError> {
        match value.serialize(Encoder::new(self.out)) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.in_field(self.field(name))),
        }
    }

    #[inline]
    fn put_next<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), OrderedError> {
        let name = FieldName::Numbered(self.next);
        self.next += 1;
        self.put(name, value)
    }

    #[cold]
    fn refuse_skip(&self, name: &'static str) -> Result<(), OrderedError> {
        let field = self.field(FieldName::Named(name));
        Err(OrderedError::new(Cause::SkippedField).in_field(field))
    }

    fn field(&self, name: FieldName) -> Field {
        Field {
            owner: self.owner,
            variant: self.variant,
            name,
        }
    }
}

/// One of serde's traits for fields, which differ in their names only.
macro_rules! fields {
    (named $trait:ident) => {
        impl $trait for Fields<'_> {
            type Ok = ();
            type Error = OrderedError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), OrderedError> {
                self.put(FieldName::Named(name), value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), OrderedError> {
                self.refuse_skip(name)
            }

            #[inline]
            fn end(self) -> Result<(), OrderedError> {
                Ok(())
            }
        }
    };
    (numbered $trait:ident) => {
        impl $trait for Fields<'_> {
            type Ok = ();
            type Error = OrderedError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                value: &T,
            ) -> Result<(), OrderedError> {
                self.put_next(value)
            }

            #[inline]
            fn end(self) -> Result<(), OrderedError> {
                Ok(())
            }
        }
    };
}

fields!(named SerializeStruct);
fields!(named SerializeStructVariant);
fields!(numbered SerializeTupleStruct);
fields!(numbered SerializeTupleVariant);
