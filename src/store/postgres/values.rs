//! Values of the store as PostgreSQL has them, and back. Parameters say their
//! type themselves: then a statement takes one question and one answer.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use rusqlite::types::{ToSql, ToSqlOutput, Value};
use tokio_postgres::types::{FromSql, IsNull, ToSql as PostgresValue, Type, to_sql_checked};

type Unfit = Box<dyn Error + Sync + Send>;

/// A value for a parameter.
#[derive(Debug)]
pub(super) struct Given(Value);

impl PostgresValue for Given {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Unfit> {
        match &self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Integer(number) => out.put_i64(*number),
            Value::Real(number) => out.put_f64(*number),
            Value::Text(text) => out.put_slice(text.as_bytes()),
            Value::Blob(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Given {
    fn kind(&self) -> Type {
        match &self.0 {
            // Whatever stands there.
            Value::Null => Type::UNKNOWN,
            Value::Integer(_) => Type::INT8,
            Value::Real(_) => Type::FLOAT8,
            Value::Text(_) => Type::TEXT,
            Value::Blob(_) => Type::BYTEA,
        }
    }
}

/// Takes over the values of a statement's parameters.
pub(super) fn given(values: &[&dyn ToSql]) -> rusqlite::Result<Vec<Given>> {
    let own = |value: &&dyn ToSql| {
        Ok(Given(match value.to_sql()? {
            ToSqlOutput::Borrowed(value) => value.try_into().map_err(rusqlite::Error::from)?,
            ToSqlOutput::Owned(value) => value,
            _ => return Err(rusqlite::Error::InvalidParameterName(String::new())),
        }))
    };
    values.iter().map(own).collect()
}

/// The same, each with its type.
pub(super) fn typed(given: &[Given]) -> Vec<(&(dyn PostgresValue + Sync), Type)> {
    let typed = |value| (value as &(dyn PostgresValue + Sync), Given::kind(value));
    given.iter().map(typed).collect()
}

/// A value that was found.
#[derive(Debug)]
pub(super) struct Found(pub(super) Value);

impl<'b> FromSql<'b> for Found {
    fn from_sql(kind: &Type, raw: &'b [u8]) -> Result<Self, Unfit> {
        Ok(Self(match *kind {
            Type::BOOL => Value::Integer(i64::from(bool::from_sql(kind, raw)?)),
            Type::INT2 => Value::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(kind, raw)?),
            Type::NUMERIC => Value::Integer(whole(raw)?),
            Type::BYTEA => Value::Blob(raw.to_vec()),
            _ => Value::Text(String::from_sql(&Type::TEXT, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Unfit> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A `numeric` that is a whole number, such as the sum of counts: how many
/// digits of base 10,000, the weight of the first, sign, scale, the digits.
fn whole(raw: &[u8]) -> Result<i64, Unfit> {
    let parts: Vec<i64> = raw
        .chunks_exact(2)
        .map(|pair| i64::from(i16::from_be_bytes([pair[0], pair[1]])))
        .collect();
    let [_, weight, sign, _, digits @ ..] = parts.as_slice() else {
        return Err("a number that is cut short".into());
    };
    let mut number: i64 = 0;
    for place in 0..=*weight {
        let place = usize::try_from(place)?;
        let digit = digits.get(place).copied().unwrap_or(0);
        let shifted = number.checked_mul(10_000);
        let next = shifted.and_then(|number| number.checked_add(digit));
        number = next.ok_or("a number beyond 63 bits")?;
    }
    Ok(if *sign == 0 { number } else { -number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_whole_numbers() {
        let raw = |words: &[i16]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        assert_eq!(whole(&raw(&[0, 0, 0, 0])).unwrap(), 0);
        assert_eq!(whole(&raw(&[1, 0, 0, 0, 42])).unwrap(), 42);
        assert_eq!(whole(&raw(&[2, 1, 0, 0, 12, 345])).unwrap(), 120_345);
        assert_eq!(whole(&raw(&[1, 1, 0, 0, 7])).unwrap(), 70_000);
        assert_eq!(whole(&raw(&[1, 0, 0x4000, 0, 3])).unwrap(), -3);
        assert!(whole(&raw(&[1, 9, 0, 0, 9999])).is_err());
        assert!(whole(&[0, 1]).is_err());
    }
}
