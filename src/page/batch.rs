//! Look-ups that siblings share: the same list under each of them, its counts, and records by id.

use super::select::{List, columns_by_ids, columns_of_all_under, counts_under_each, under_each};
use super::{Columns, Listing, Stored};
use crate::error::SharedError;
use crate::operation::Batch;
use async_graphql::dataloader::Loader;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use uuid::Uuid;

/// The key of a window under one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Under<C, O, Kind> {
    pub(super) id: Uuid,
    pub(super) list: List<C, O>,
    pub(super) kind: Kind,
}

/// The key of a count under one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CountUnder<C, Kind> {
    pub(super) id: Uuid,
    pub(super) column: &'static str,
    pub(super) condition: C,
    pub(super) kind: Kind,
}

/// The key of all records under one parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AllUnder<Kind> {
    pub(super) id: Uuid,
    pub(super) column: &'static str,
    pub(super) columns: Columns,
    pub(super) kind: Kind,
}

/// The key of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ById<Kind> {
    pub(super) id: Uuid,
    pub(super) columns: Columns,
    pub(super) kind: Kind,
}

/// Marks the kind of record a key belongs to, and holds nothing.
pub(super) struct Of<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Of<T> {
    pub(super) const KIND: Self = Self(std::marker::PhantomData);
}
impl<T> Debug for Of<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }
}
impl<T> Clone for Of<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Of<T> {}
impl<T> PartialEq for Of<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl<T> Eq for Of<T> {}
impl<T> Hash for Of<T> {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl<T: Listing> Loader<Under<T::Condition, T::OrderBy, Of<T>>> for Batch {
    type Value = Vec<T>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[Under<T::Condition, T::OrderBy, Of<T>>],
    ) -> std::result::Result<HashMap<Under<T::Condition, T::OrderBy, Of<T>>, Vec<T>>, SharedError> {
        let mut lists: HashMap<&List<T::Condition, T::OrderBy>, Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry(&key.list).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found: HashMap<_, Vec<T>> = HashMap::new();
        for (list, parents) in lists {
            for record in under_each::<T>(&mut scope, list, &parents).await? {
                if let Some(id) = record.parent(list.column) {
                    found.entry(Under { id, list: list.clone(), kind: Of::KIND }).or_default().push(record);
                }
            }
        }
        Ok(found)
    }
}

impl<T: Listing> Loader<CountUnder<T::Condition, Of<T>>> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[CountUnder<T::Condition, Of<T>>],
    ) -> std::result::Result<HashMap<CountUnder<T::Condition, Of<T>>, i64>, SharedError> {
        let mut lists: HashMap<(&'static str, &T::Condition), Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry((key.column, &key.condition)).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((column, condition), parents) in lists {
            for (id, count) in counts_under_each::<T>(&mut scope, column, condition, &parents).await? {
                found.insert(CountUnder { id, column, condition: condition.clone(), kind: Of::KIND }, count);
            }
        }
        Ok(found)
    }
}

impl<T: Listing> Loader<AllUnder<Of<T>>> for Batch {
    type Value = Vec<T>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[AllUnder<Of<T>>],
    ) -> std::result::Result<HashMap<AllUnder<Of<T>>, Vec<T>>, SharedError> {
        let mut lists: HashMap<(&'static str, Columns), Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry((key.column, key.columns)).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found: HashMap<_, Vec<T>> = HashMap::new();
        for ((column, columns), parents) in lists {
            for record in columns_of_all_under::<T>(&mut scope, column, &parents, columns).await? {
                if let Some(id) = record.parent(column) {
                    found.entry(AllUnder { id, column, columns, kind: Of::KIND }).or_default().push(record);
                }
            }
        }
        Ok(found)
    }
}

impl<T: Stored> Loader<ById<Of<T>>> for Batch {
    type Value = Arc<T>;
    type Error = SharedError;

    async fn load(&self, keys: &[ById<Of<T>>]) -> std::result::Result<HashMap<ById<Of<T>>, Arc<T>>, SharedError> {
        let mut sets: HashMap<Columns, Vec<Uuid>> = HashMap::new();
        for key in keys {
            sets.entry(key.columns).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (columns, ids) in sets {
            for record in columns_by_ids::<T>(&mut scope, &ids, columns).await? {
                found.insert(ById { id: record.id(), columns, kind: Of::KIND }, Arc::new(record));
            }
        }
        Ok(found)
    }
}
