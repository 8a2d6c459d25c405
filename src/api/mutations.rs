//! The root of the mutations: what is refused is null by itself.

use crate::operation::Operation;
use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaType, Registry};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerError, ServerResult, Value,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Mutations of which each can be refused without the others: every field of `T` is nullable, and the error of one makes
/// only that one null. The mutations before it are committed, and their payloads are answered; those after it run.
///
/// After a wrong password, an unknown token or too many tries those after it are refused alike and not tried: otherwise one
/// request would be a hundred tries.
///
/// It is done here, for all of them, and not by the type that each returns: a new mutation can't forget it.
#[derive(Debug, Default)]
pub struct EachAlone<T>(T);

impl<T: ObjectType> OutputType for EachAlone<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = T::create_type_info(registry);
        if let Some(MetaType::Object { fields, .. }) = registry.types.get_mut(T::type_name().as_ref()) {
            for field in fields.values_mut() {
                if field.ty.ends_with('!') {
                    field.ty.pop();
                }
            }
        }
        name
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        self.0.resolve(ctx, field).await
    }
}

impl<T: ObjectType> ContainerType for EachAlone<T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let operation = ctx.data_opt::<Arc<Operation>>();
        if let Some(before) = operation.and_then(|operation| operation.ended()) {
            ctx.add_error(ctx.set_error_path(before.clone()));
            return Ok(Some(Value::Null));
        }
        // Boxed: the future of every mutation would be as large as that of the largest.
        match Box::pin(self.0.resolve_field(ctx)).await {
            Err(refused) => {
                if let Some(operation) = operation.filter(|_| ends_the_rest(&refused)) {
                    operation.end(&refused);
                }
                ctx.add_error(refused);
                Ok(Some(Value::Null))
            }
            answered => answered,
        }
    }
}

impl<T: ObjectType> ObjectType for EachAlone<T> {}

/// Whether a refusal is of who asks, and not of what is asked.
fn ends_the_rest(refused: &ServerError) -> bool {
    let code = refused.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    matches!(code, Some(Value::String(code)) if code == "UNAUTHENTICATED" || code == "RATE_LIMITED")
}

#[cfg(test)]
mod tests {
    use super::EachAlone;
    use async_graphql::{EmptySubscription, Error, Object, Result, Schema, value};

    struct Query;

    #[Object]
    impl Query {
        async fn here(&self) -> bool {
            true
        }
    }

    struct Made {
        number: i32,
    }

    #[Object]
    impl Made {
        async fn number(&self) -> Result<i32> {
            if self.number < 9 { Ok(self.number) } else { Err(Error::new("no such number")) }
        }
    }

    #[derive(Default)]
    struct Making;

    #[Object(name = "Mutation")]
    impl Making {
        async fn make(&self, number: i32) -> Result<Made> {
            if number > 0 { Ok(Made { number }) } else { Err(Error::new("must be above 0")) }
        }
    }

    #[tokio::test]
    async fn what_is_refused_is_null_alone() {
        let schema = Schema::new(Query, EachAlone::<Making>::default(), EmptySubscription);
        assert!(schema.sdl().contains("make(number: Int!): Made\n"), "{}", schema.sdl());
        let answer = schema
            .execute(
                "mutation { a: make(number: 1) { number } b: make(number: 0) { number } ...Rest }
                fragment Rest on Mutation { c: make(number: 9) { number } d: make(number: 2) { number } }",
            )
            .await;
        assert_eq!(answer.data, value!({"a": {"number": 1}, "b": null, "c": null, "d": {"number": 2}}));
        let errors: Vec<_> = answer.errors.iter().map(|error| (error.message.as_str(), &*error.path)).collect();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert_eq!((errors[0].0, format!("{:?}", errors[0].1)), ("must be above 0", "[Field(\"b\")]".to_owned()));
        assert_eq!(
            (errors[1].0, format!("{:?}", errors[1].1)),
            ("no such number", "[Field(\"c\"), Field(\"number\")]".to_owned())
        );
    }
}
