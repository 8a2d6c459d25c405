//! What the cells of a row hold that a record holds in another form.

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types as st;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;

/// JSON, read straight into what it says.
pub struct AsJson<T>(pub T);

impl<T: DeserializeOwned> FromSql<st::Jsonb, Pg> for AsJson<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            // The version of the binary form, then the text.
            [1, text @ ..] => Ok(Self(serde_json::from_slice(text)?)),
            _ => Err("jsonb of an unknown version".into()),
        }
    }
}

/// A number without the zeros that its column adds: what is read equals what was given.
pub struct Plain(pub Decimal);

impl FromSql<st::Numeric, Pg> for Plain {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(<Decimal as FromSql<st::Numeric, Pg>>::from_sql(value)?.normalize()))
    }
}

/// A list whose column does not say that it holds no NULL.
pub struct Listed<T>(pub Vec<T>);

impl<T: FromSql<ST, Pg>, ST: 'static> FromSql<st::Array<st::Nullable<ST>>, Pg> for Listed<T>
where
    Vec<Option<T>>: FromSql<st::Array<st::Nullable<ST>>, Pg>,
{
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let found = <Vec<Option<T>> as FromSql<st::Array<st::Nullable<ST>>, Pg>>::from_sql(value)?;
        Ok(Self(found.into_iter().flatten().collect()))
    }
}
