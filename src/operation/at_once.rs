//! Objects whose plain fields are answered at once. The engine makes a future, a context and a list entry for every field
//! of every record; for a field that is a value of the record, that costs ten times as much as the value itself.

use async_graphql::futures_util::future::{BoxFuture, FutureExt, try_join_all};
use async_graphql::indexmap::{IndexMap, map::Entry};
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_container;
use async_graphql::{
    ContextSelectionSet, Name, ObjectType, OutputType, PathSegment, Positioned, Response, ServerError, ServerResult,
    Value,
};
use std::borrow::Cow;
use std::sync::Arc;

/// An object of the API with plain fields: scalars and enums that are in the object, and take no arguments. `plain!` names
/// them.
pub trait Plain: ObjectType {
    /// The value of a plain field; `None` for any other field.
    fn plain(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> Option<ServerResult<Value>> {
        None
    }
}

impl<T: Plain + ?Sized> Plain for &T {
    fn plain(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> Option<ServerResult<Value>> {
        T::plain(self, ctx, field)
    }
}

impl<T: Plain + ?Sized> Plain for std::sync::Arc<T> {
    fn plain(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> Option<ServerResult<Value>> {
        T::plain(self, ctx, field)
    }
}

/// Names the plain fields of an object by the methods that give their values: `plain!(Patient: id, chart_number)`.
macro_rules! plain {
    ($object:ty: $($method:ident),* $(,)?) => {
        impl $crate::operation::Plain for $object {
            fn plain(
                &self,
                ctx: &async_graphql::ContextSelectionSet<'_>,
                field: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> Option<async_graphql::ServerResult<async_graphql::Value>> {
                /// The fields by the names of their methods.
                #[allow(non_upper_case_globals)]
                mod names {
                    $(pub(super) const $method: &str = $crate::operation::camel_case!($method);)*
                }
                match field.node.name.node.as_str() {
                    $(names::$method => Some($crate::operation::plain_value(self.$method(&ctx.with_field(field)), ctx, field)),)*
                    _ => None,
                }
            }
        }
    };
}

/// The name of a method as the API writes it: `chartNumber` for `chart_number`.
macro_rules! camel_case {
    ($method:ident) => {{
        const NAME: &str = stringify!($method);
        const CAMEL: [u8; $crate::operation::camel_length(NAME)] = $crate::operation::camel(NAME);
        match std::str::from_utf8(&CAMEL) {
            Ok(camel_cased) => camel_cased,
            Err(_) => panic!("a method has a name of ASCII letters"),
        }
    }};
}

pub(crate) use {camel_case, plain};

/// The length of a name as the API writes it. It is computed at compile time, where an index beyond the end is an error.
#[allow(clippy::indexing_slicing)]
pub(crate) const fn camel_length(name: &str) -> usize {
    let (bytes, mut at, mut length) = (name.as_bytes(), 0, 0);
    while at < bytes.len() {
        if bytes[at] != b'_' {
            length += 1;
        }
        at += 1;
    }
    length
}

/// A name as the API writes it; at compile time too.
#[allow(clippy::indexing_slicing)]
pub(crate) const fn camel<const LENGTH: usize>(name: &str) -> [u8; LENGTH] {
    let (bytes, mut at, mut to, mut camel) = (name.as_bytes(), 0, 0, [0; LENGTH]);
    while at < bytes.len() {
        if bytes[at] != b'_' {
            let begins = at > 0 && bytes[at - 1] == b'_';
            camel[to] = if begins { bytes[at].to_ascii_uppercase() } else { bytes[at] };
            to += 1;
        }
        at += 1;
    }
    camel
}

/// The value of a plain field. Its method waits for nothing, so it is done at the first poll.
pub(crate) fn plain_value<T: OutputType>(
    method: impl Future<Output = async_graphql::Result<T>>,
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
) -> ServerResult<Value> {
    let waits = || async_graphql::ServerError::new("a plain field waits for something", Some(field.pos));
    let value = method.now_or_never().ok_or_else(waits)?;
    let value = value.map_err(|error| error.into_server_error(field.pos))?;
    OutputType::resolve(&value, ctx, field).now_or_never().ok_or_else(waits)?
}

/// Where a field failed, as its object knew it.
struct Place(Vec<PathSegment>);

/// An error with the place of its field kept beside its path. Each list that the error goes through puts its own entry's path
/// in place of the field's.
fn placed(mut error: ServerError) -> ServerError {
    if !error.source.as_ref().is_some_and(|it| it.is::<Place>()) {
        error.source = Some(Arc::new(Place(error.path.clone())));
    }
    error
}

/// Gives each error of an answer the whole path of the field that failed.
pub fn whole_paths(response: &mut Response) {
    for error in &mut response.errors {
        if let Some(place) = error.source.as_ref().and_then(|it| it.downcast_ref::<Place>()) {
            error.path.clone_from(&place.0);
        }
    }
}

/// An object in the API that answers its plain fields at once, and the others as the engine does.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce<T>(pub T);

impl<T: Plain> OutputType for AtOnce<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        let mut answer = Answer { values: IndexMap::with_capacity(ctx.item.node.items.len()), waiting: Vec::new() };
        if !answer.gather(&self.0, ctx, &ctx.item.node) {
            // Boxed, as it is rare and large.
            return Box::pin(resolve_container(ctx, &self.0)).await;
        }
        let Answer { mut values, mut waiting } = answer;
        let found = match waiting.len() {
            0 => Vec::new(),
            1 => vec![waiting.remove(0).await?],
            _ => try_join_all(waiting).await?,
        };
        for (place, value) in found {
            if let Some((_, there)) = values.get_index_mut(place) {
                *there = value;
            }
        }
        Ok(Value::Object(values))
    }
}

/// An object's answer in the making: its values in the order of the selection, and the fields to wait for with their
/// places.
struct Answer<'a> {
    values: IndexMap<Name, Value>,
    waiting: Vec<BoxFuture<'a, ServerResult<(usize, Value)>>>,
}

impl<'a> Answer<'a> {
    /// Gathers the fields of a selection. Returns false where the engine has to answer the whole object: for
    /// directives of its own, fragments on an interface, and objects or lists that are asked for twice and have to be merged.
    fn gather<T: Plain>(
        &mut self,
        object: &'a T,
        ctx: &'a ContextSelectionSet<'a>,
        selection: &'a SelectionSet,
    ) -> bool {
        selection.items.iter().all(|selection| match &selection.node {
            Selection::Field(field) => field.node.directives.is_empty() && self.field(object, ctx, field),
            Selection::InlineFragment(fragment) => {
                let on = fragment.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                fragment.node.directives.is_empty()
                    && on.is_none_or(|on| on == object.introspection_type_name())
                    && self.gather(object, ctx, &fragment.node.selection_set.node)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = ctx.query_env.fragments.get(&spread.node.fragment_name.node);
                spread.node.directives.is_empty()
                    && fragment.is_some_and(|fragment| {
                        fragment.node.type_condition.node.on.node.as_str() == object.introspection_type_name()
                            && self.gather(object, ctx, &fragment.node.selection_set.node)
                    })
            }
        })
    }

    fn field<T: Plain>(
        &mut self,
        object: &'a T,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> bool {
        let entry = match self.values.entry(field.node.response_key().node.clone()) {
            // The same field once more, as the validation made sure.
            Entry::Occupied(_) => return field.node.selection_set.node.items.is_empty(),
            Entry::Vacant(entry) => entry,
        };
        if field.node.name.node == "__typename" {
            entry.insert(Value::String(object.introspection_type_name().into_owned()));
            return true;
        }
        match object.plain(ctx, field) {
            Some(Ok(value)) => {
                entry.insert(value);
                true
            }
            // The engine gives the error its path.
            Some(Err(_)) => false,
            None => {
                let place = entry.index();
                entry.insert(Value::Null);
                self.waiting.push(Box::pin(async move {
                    let ctx = ctx.with_field(field);
                    let value = object.resolve_field(&ctx).await.map_err(placed)?;
                    Ok((place, value.unwrap_or_default()))
                }));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AtOnce;
    use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Result, Schema, value};

    #[derive(Clone)]
    struct Person {
        first_name: &'static str,
        age: Option<i32>,
        friends: Vec<Person>,
    }

    #[Object]
    impl Person {
        async fn first_name(&self) -> &str {
            self.first_name
        }
        async fn age(&self) -> Option<i32> {
            self.age
        }
        async fn friends(&self, first: Option<usize>) -> Vec<AtOnce<Person>> {
            tokio::task::yield_now().await;
            self.friends.iter().take(first.unwrap_or(9)).cloned().map(AtOnce).collect()
        }
        async fn secret(&self, _ctx: &Context<'_>) -> Result<&str> {
            tokio::task::yield_now().await;
            if self.age.is_some() { Ok("none") } else { Err("not for you".into()) }
        }
    }

    plain!(Person: first_name, age);

    struct Query(Person);

    #[Object]
    impl Query {
        async fn person(&self) -> AtOnce<Person> {
            AtOnce(self.0.clone())
        }
        async fn slowly(&self) -> Person {
            self.0.clone()
        }
        async fn opt(&self) -> Option<AtOnce<Person>> {
            Some(AtOnce(self.0.clone()))
        }
    }

    fn schema() -> Schema<Query, EmptyMutation, EmptySubscription> {
        let friend = |first_name, age| Person { first_name, age, friends: Vec::new() };
        let friends = vec![friend("Bo", Some(3)), friend("Cy", None)];
        Schema::new(Query(Person { first_name: "Ann", age: Some(7), friends }), EmptyMutation, EmptySubscription)
    }

    /// The same selection answered at once and by the engine, as text: the order of the fields is part of an answer.
    async fn both(selection: &str, more: &str) -> (String, String) {
        let ask = async |field: &str| {
            let answer = schema().execute(format!("{{ it: {field} {selection} }} {more}")).await;
            serde_json::to_string(&answer).expect("JSON")
        };
        (ask("person").await, ask("slowly").await)
    }

    #[tokio::test]
    async fn an_object_is_answered_as_the_engine_would() {
        for (selection, more) in [
            ("{ firstName age }", ""),
            ("{ age name: firstName __typename firstName }", ""),
            ("{ friends { firstName secret } age }", ""),
            ("{ friends(first: 1) { age friends { age } secret } firstName secret }", ""),
            ("{ firstName firstName age age }", ""),
            ("{ friends { age } age friends { firstName } }", ""),
            (
                "{ ...A age ...B }",
                "fragment A on Person { friends { age } } fragment B on Person { friends { firstName } }",
            ),
            ("{ ...A friends { ...A } }", "fragment A on Person { firstName age }"),
            ("{ ... { age } ... on Person { firstName } friends { ... on Person { __typename } } }", ""),
            ("{ age @skip(if: true) firstName @include(if: true) ... @skip(if: true) { secret } }", ""),
            ("{ secret @include(if: true) }", ""),
        ] {
            let (at_once, slowly) = both(selection, more).await;
            assert_eq!(at_once, slowly, "{selection}");
        }
    }

    #[tokio::test]
    async fn a_failure_nulls_what_it_must() {
        let answer = schema().execute("{ opt { firstName friends { firstName secret } } }").await;
        assert_eq!(answer.data, value!({"opt": null}));
    }

    #[tokio::test]
    async fn an_error_has_the_whole_path_of_its_field() {
        use async_graphql::PathSegment::{Field, Index};
        let field = |name: &str| Field(name.to_owned());
        for (query, path) in [
            (
                "{ person { friends { firstName other: secret } } }",
                vec![field("person"), field("friends"), Index(1), field("other")],
            ),
            (
                "{ opt { twice: friends { friends { age } age secret } } }",
                vec![field("opt"), field("twice"), Index(1), field("secret")],
            ),
        ] {
            let mut answer = schema().execute(query).await;
            super::whole_paths(&mut answer);
            let paths: Vec<_> = answer.errors.iter().map(|error| error.path.clone()).collect();
            assert_eq!(paths, [path], "{query}");
        }
    }

    #[test]
    fn a_method_is_named_as_its_field() {
        let named = [super::camel_case!(id), super::camel_case!(first_name), super::camel_case!(area_cm2)];
        assert_eq!(named, ["id", "firstName", "areaCm2"]);
    }
}
