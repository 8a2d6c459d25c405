//! Adding and changing records that have one row each and take no signature.

/// Gives a store `add` and `save`: the row, whose it is shown as, and the ledger entry. `$row` has
/// `of(org: Uuid, record: &$record) -> Result<Self>`; the table has `org_id`, `id` and `version`.
///
/// `save` changes the row only at the version that the edit was made for; else it says CONFLICT with the current one.
macro_rules! kept {
    ($record:ty, $table:ident, $row:ty) => {
        /// Adds it.
        #[allow(dead_code)] // some records are added by a statement of their own
        pub async fn add(scope: &mut crate::access::Scope, new: &$record) -> crate::error::Result<()> {
            use crate::ledger::Record;
            let door = scope.write(crate::vocabulary::Action::Create, <$record as Record>::KIND)?;
            let row = <$row>::of(door.org, new)?;
            let insert = diesel::insert_into(crate::db::tables::$table::table).values(&row);
            diesel_async::RunQueryDsl::execute(insert, door.connection).await?;
            scope.show(new.tells_of());
            crate::ledger::append(scope, crate::vocabulary::Action::Create, new, new).await
        }

        /// Saves a change; `after` has the version after it.
        pub async fn save(
            scope: &mut crate::access::Scope,
            action: crate::vocabulary::Action,
            after: &$record,
            expected: i32,
        ) -> crate::error::Result<()> {
            use crate::ledger::Record;
            use diesel::{ExpressionMethods, QueryDsl};
            let door = scope.write(action, <$record as Record>::KIND)?;
            let target = crate::db::tables::$table::table
                .find((door.org, after.id))
                .filter(crate::db::tables::$table::version.eq(expected));
            let row = <$row>::of(door.org, after)?;
            let update = diesel::update(target).set(&row);
            if diesel_async::RunQueryDsl::execute(update, door.connection).await? == 0 {
                let current = crate::page::listing::one::<$record>(scope, after.id).await?;
                let words = <$record as Record>::KIND.words();
                return Err(crate::error::Error::stale(&words, expected, current.version()));
            }
            scope.show(after.tells_of());
            crate::ledger::append(scope, action, after, after).await
        }
    };
}
pub(crate) use kept;
