//! An error as GraphQL has it, with its extensions.

use super::{Error, Fault, NotSignedIn, Param};
use async_graphql::{ErrorExtensionValues, Name, Value};

impl Fault {
    /// Faults as they stand in `extensions.fields`: path, message, code and its parameters.
    pub fn fields(faults: &[Self]) -> Value {
        let object = |fault: &Self| {
            let params = fault.flaw.params().iter().map(|(name, value)| (Name::new(name), Value::from(value.clone())));
            let parts = [
                ("path", Value::from(fault.path.clone())),
                ("message", Value::from(fault.flaw.message())),
                ("code", Value::from(fault.flaw.code().word())),
                ("params", Value::Object(params.collect())),
            ];
            Value::Object(parts.into_iter().map(|(name, value)| (Name::new(name), value)).collect())
        };
        Value::List(faults.iter().map(object).collect())
    }
}

impl From<Param> for Value {
    fn from(param: Param) -> Self {
        match param {
            Param::Text(text) => Self::from(text),
            Param::Number(number) => Self::from(number),
            Param::Words(words) => Self::List(words.into_iter().map(Self::from).collect()),
        }
    }
}

impl Error {
    fn extend(&self, extensions: &mut ErrorExtensionValues) {
        extensions.set("code", self.code());
        match self {
            Self::BadUserInput(faults) => {
                extensions.set("fields", Fault::fields(faults));
            }
            Self::ProtocolBlocked { checks, .. } => {
                let checks = checks.iter().map(|check| {
                    let mut entry = async_graphql::indexmap::IndexMap::new();
                    let parts = [
                        ("id", Some(&check.id)),
                        ("rule", Some(&check.rule)),
                        ("verdict", Some(&check.verdict)),
                        ("code", check.code.as_ref()),
                        ("cause", Some(&check.cause)),
                        ("recordId", check.record_id.as_ref()),
                    ];
                    for (name, value) in parts {
                        let value = value.map_or(Value::Null, |text| Value::from(text.clone()));
                        entry.insert(Name::new(name), value);
                    }
                    let params = check.params.iter();
                    let params = params.map(|(name, value)| (Name::new(name), Value::from(value.clone())));
                    entry.insert(Name::new("params"), Value::Object(params.collect()));
                    Value::Object(entry)
                });
                extensions.set("checks", Value::List(checks.collect()));
            }
            Self::Conflict { current_version: Some(version), .. } => extensions.set("currentVersion", *version),
            Self::RateLimited { retry_after } => extensions.set("retryAfter", *retry_after),
            Self::Unauthenticated(reason, _) => extensions.set("reason", reason.word()),
            Self::SecondFactorMissing => extensions.set("reason", NotSignedIn::SecondFactor.word()),
            _ => {}
        }
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// A failure shared by several fields: a batched look-up gives the same one to every waiting field.
#[derive(Debug, Clone)]
pub struct SharedError(std::sync::Arc<Error>);

impl From<Error> for SharedError {
    fn from(error: Error) -> Self {
        Self(std::sync::Arc::new(error))
    }
}

impl From<SharedError> for async_graphql::Error {
    fn from(error: SharedError) -> Self {
        Self::from(error.0.as_ref())
    }
}

impl From<&Error> for async_graphql::Error {
    fn from(error: &Error) -> Self {
        if let Error::Internal(cause) = error {
            tracing::error!(cause, "internal error");
        }
        let mut extensions = ErrorExtensionValues::default();
        error.extend(&mut extensions);
        let mut public = Self::new(error.public_message());
        public.extensions = Some(extensions);
        public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_text_stays_inside() {
        let shown: async_graphql::Error = Error::Internal("relation \"patient\" does not exist".to_owned()).into();
        assert!(!shown.message.contains("patient"));
    }
}
