//! Stands before bincode's writer and refuses what would not come back.
//!
//! Invariant: the bytes are those that bincode writes alone. Of bincode's compounds only the
//! beginning is used (a length, a variant's index): they write nothing between parts or at the end,
//! which the pinned version guarantees and a test holds.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::error::{Cause, WireError};
use super::{BincodeError, Writer, cause};
use crate::codec::field::{Field, FieldName};

/// Hands leaves on to bincode and watches fields.
pub(super) struct Guard<'a, 'out> {
    writer: &'a mut Writer<'out>,
}

impl<'a, 'out> Guard<'a, 'out> {
    #[inline]
    pub(super) fn new(writer: &'a mut Writer<'out>) -> Self {
        Self { writer }
    }

    #[inline]
    fn parts(self, owner: &'static str, variant: Option<&'static str>) -> Parts<'a, 'out> {
        Parts {
            writer: self.writer,
            owner,
            variant,
            next: 0,
        }
    }

    #[inline]
    fn variant(
        self,
        owner: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<Parts<'a, 'out>, WireError> {
        lift(self.writer.serialize_unit_variant(owner, index, variant))?;
        Ok(self.parts(owner, Some(variant)))
    }
}

#[inline]
fn lift<T>(result: Result<T, BincodeError>) -> Result<T, WireError> {
    match result {
        Ok(value) => Ok(value),
        Err(error) => Err(WireError::new(cause(&error))),
    }
}

macro_rules! leaves {
    ($($method:ident($($type:ty)?),)*) => {$(
        leaves!(@ $method $($type)?);
    )*};
    (@ $method:ident $type:ty) => {
        #[inline]
        fn $method(self, value: $type) -> Result<(), WireError> {
            lift(self.writer.$method(value))
        }
    };
    (@ $method:ident) => {
        #[inline]
        fn $method(self) -> Result<(), WireError> {
            lift(self.writer.$method())
        }
    };
}

impl<'a, 'out> Serializer for Guard<'a, 'out> {
    type Ok = ();
    type Error = WireError;
    type SerializeSeq = Parts<'a, 'out>;
    type SerializeTuple = Parts<'a, 'out>;
    type SerializeTupleStruct = Parts<'a, 'out>;
    type SerializeTupleVariant = Parts<'a, 'out>;
    type SerializeMap = Parts<'a, 'out>;
    type SerializeStruct = Parts<'a, 'out>;
    type SerializeStructVariant = Parts<'a, 'out>;

    leaves! {
        serialize_bool(bool),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WireError> {
        // The byte that bincode writes before a present value.
        lift(self.writer.serialize_u8(1))?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        owner: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), WireError> {
        lift(self.writer.serialize_unit_variant(owner, index, variant))
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        owner: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        self.parts(owner, None).put_next(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        owner: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        self.variant(owner, index, variant)?.put_next(value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, 'out>, WireError> {
        lift(self.writer.serialize_seq(len))?;
        Ok(self.parts("", None))
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Parts<'a, 'out>, WireError> {
        Ok(self.parts("", None))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        owner: &'static str,
        _: usize,
    ) -> Result<Parts<'a, 'out>, WireError> {
        Ok(self.parts(owner, None))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        owner: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a, 'out>, WireError> {
        self.variant(owner, index, variant)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, 'out>, WireError> {
        lift(self.writer.serialize_map(len))?;
        Ok(self.parts("", None))
    }

    #[inline]
    fn serialize_struct(self, owner: &'static str, _: usize) -> Result<Parts<'a, 'out>, WireError> {
        Ok(self.parts(owner, None))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        owner: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a, 'out>, WireError> {
        self.variant(owner, index, variant)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a compound, one after the other.
pub(super) struct Parts<'a, 'out> {
    writer: &'a mut Writer<'out>,
    /// The struct or enum; empty for lists, tuples and maps, whose parts have no names.
    owner: &'static str,
    variant: Option<&'static str>,
    next: usize,
}

impl Parts<'_, '_> {
    #[inline]
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        value.serialize(Guard::new(self.writer))
    }

    #[inline]
    fn put_named<T: Serialize + ?Sized>(
        &mut self,
        name: FieldName,
        value: &T,
    ) -> Result<(), WireError> {
        match self.put(value) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.in_field(self.field(name))),
        }
    }

    #[inline]
    fn put_next<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        let name = FieldName::Numbered(self.next);
        self.next += 1;
        self.put_named(name, value)
    }

    #[cold]
    fn refuse_skip(&self, name: &'static str) -> Result<(), WireError> {
        let field = self.field(FieldName::Named(name));
        Err(WireError::new(Cause::SkippedField).in_field(field))
    }

    fn field(&self, name: FieldName) -> Field {
        Field {
            owner: self.owner,
            variant: self.variant,
            name,
        }
    }
}

macro_rules! unnamed {
    ($($trait:ident: $($method:ident)*;)*) => {$(
        impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = WireError;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
                    self.put(value)
                }
            )*

            #[inline]
            fn end(self) -> Result<(), WireError> {
                Ok(())
            }
        }
    )*};
}

macro_rules! numbered {
    ($($trait:ident)*) => {$(
        impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = WireError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                value: &T,
            ) -> Result<(), WireError> {
                self.put_next(value)
            }

            #[inline]
            fn end(self) -> Result<(), WireError> {
                Ok(())
            }
        }
    )*};
}

macro_rules! named {
    ($($trait:ident)*) => {$(
        impl $trait for Parts<'_, '_> {
            type Ok = ();
            type Error = WireError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), WireError> {
                self.put_named(FieldName::Named(name), value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), WireError> {
                self.refuse_skip(name)
            }

            #[inline]
            fn end(self) -> Result<(), WireError> {
                Ok(())
            }
        }
    )*};
}

unnamed! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeMap: serialize_key serialize_value;
}

numbered! { SerializeTupleStruct SerializeTupleVariant }

named! { SerializeStruct SerializeStructVariant }
