//! Reads a value back from its `ordered` bytes.
//!
//! Invariant: reads what `encoder` writes and nothing else; the bytes do not describe themselves,
//! so a type that asks them for their shape is refused.

use serde::Deserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::encoder::{END, ESCAPE, MORE, NONE, SOME};
use super::error::{Cause, OrderedError};

/// Takes values off the front of some bytes.
pub(super) struct Decoder<'de> {
    rest: &'de [u8],
}

/// The content of a string, without escapes and terminator.
enum Text<'de> {
    Borrowed(&'de [u8]),
    Owned(Vec<u8>),
}

impl<'de> Decoder<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'de [u8] {
        self.rest
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], OrderedError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(OrderedError::new(Cause::CutShort));
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads a byte that is `no` or `yes`.
    fn choice(&mut self, what: &'static str, no: u8, yes: u8) -> Result<bool, OrderedError> {
        let [found] = self.take()?;
        if found == no {
            return Ok(false);
        }
        if found == yes {
            return Ok(true);
        }
        Err(OrderedError::new(Cause::Marker { what, found }))
    }

    fn text(&mut self) -> Result<Text<'de>, OrderedError> {
        let mut owned = Vec::new();
        loop {
            let zero = self.rest.iter().position(|&byte| byte == 0);
            let zero = zero.ok_or_else(|| OrderedError::new(Cause::CutShort))?;
            let (before, behind) = self.rest.split_at(zero);
            let Some(&after) = behind.get(1) else {
                return Err(OrderedError::new(Cause::CutShort));
            };
            self.rest = &behind[2..];
            match after {
                0 if owned.is_empty() => return Ok(Text::Borrowed(before)),
                0 => {
                    owned.extend_from_slice(before);
                    return Ok(Text::Owned(owned));
                }
                ESCAPE => {
                    owned.extend_from_slice(before);
                    owned.push(0);
                }
                found => {
                    let what = "the end or the escape of a string";
                    return Err(OrderedError::new(Cause::Marker { what, found }));
                }
            }
        }
    }
}

macro_rules! unsigned {
    ($($method:ident: $visit:ident($type:ty),)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
            visitor.$visit(<$type>::from_be_bytes(self.take()?))
        }
    )*};
}

macro_rules! signed {
    ($($method:ident: $visit:ident($type:ty),)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
            visitor.$visit(<$type>::from_be_bytes(self.take()?) ^ <$type>::MIN)
        }
    )*};
}

macro_rules! refused {
    ($cause:expr => $($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, OrderedError> {
            Err(OrderedError::new($cause))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = OrderedError;

    unsigned! {
        deserialize_u8: visit_u8(u8),
        deserialize_u16: visit_u16(u16),
        deserialize_u32: visit_u32(u32),
        deserialize_u64: visit_u64(u64),
        deserialize_u128: visit_u128(u128),
    }

    signed! {
        deserialize_i8: visit_i8(i8),
        deserialize_i16: visit_i16(i16),
        deserialize_i32: visit_i32(i32),
        deserialize_i64: visit_i64(i64),
        deserialize_i128: visit_i128(i128),
    }

    refused!(Cause::SelfDescribing =>
        deserialize_any deserialize_identifier deserialize_ignored_any);

    refused!(Cause::Float => deserialize_f32 deserialize_f64);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        visitor.visit_bool(self.choice("a bool", 0, 1)?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        let found = u32::from_be_bytes(self.take()?);
        match char::from_u32(found) {
            Some(value) => visitor.visit_char(value),
            None => Err(OrderedError::new(Cause::NotAChar(found))),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        let not_text = || OrderedError::new(Cause::NotText);
        match self.text()? {
            Text::Borrowed(bytes) => {
                visitor.visit_borrowed_str(std::str::from_utf8(bytes).map_err(|_| not_text())?)
            }
            Text::Owned(bytes) => {
                visitor.visit_string(String::from_utf8(bytes).map_err(|_| not_text())?)
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        match self.text()? {
            Text::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
            Text::Owned(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        if self.choice("the marker of an option", NONE, SOME)? {
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        visitor.visit_seq(Marked { decoder: self })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, OrderedError> {
        visitor.visit_map(Marked { decoder: self })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        members: usize,
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        visitor.visit_seq(Counted {
            decoder: self,
            left: members,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        members: usize,
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        self.deserialize_tuple(members, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Elements or entries that each stand behind a marker.
struct Marked<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
}

impl<'de> SeqAccess<'de> for Marked<'_, 'de> {
    type Error = OrderedError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, OrderedError> {
        let what = "the marker of an element";
        if self.decoder.choice(what, END, MORE)? {
            return seed.deserialize(&mut *self.decoder).map(Some);
        }
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Marked<'_, 'de> {
    type Error = OrderedError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, OrderedError> {
        let what = "the marker of an entry";
        if self.decoder.choice(what, END, MORE)? {
            return seed.deserialize(&mut *self.decoder).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, OrderedError> {
        seed.deserialize(&mut *self.decoder)
    }
}

/// As many members as the type has.
struct Counted<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Counted<'_, 'de> {
    type Error = OrderedError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, OrderedError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> EnumAccess<'de> for &mut Decoder<'de> {
    type Error = OrderedError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), OrderedError> {
        let index = u32::from_be_bytes(self.take()?);
        let variant =
            seed.deserialize(IntoDeserializer::<OrderedError>::into_deserializer(index))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Decoder<'de> {
    type Error = OrderedError;

    fn unit_variant(self) -> Result<(), OrderedError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, OrderedError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        members: usize,
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        self.deserialize_tuple(members, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, OrderedError> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
