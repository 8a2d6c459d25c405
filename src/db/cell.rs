//! Values that a row and a record hold in different forms.

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types as st;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;

/// JSON, parsed directly into its type.
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

/// A number without the zeros added by its column, so that the value read equals the value written.
pub struct Plain(pub Decimal);

impl FromSql<st::Numeric, Pg> for Plain {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(<Decimal as FromSql<st::Numeric, Pg>>::from_sql(value)?.normalize()))
    }
}

/// A list from a column that is not declared free of NULL elements.
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
