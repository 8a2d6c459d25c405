//! The queries of patients: one, and the list with its search.

use super::countries::countries_for;
use super::details::ExternalIdentifierInput;
use super::input::RegisterPatientInput;
use crate::api::duplicates::{PossibleDuplicate, duplicates_of};
use crate::error::{Code, Error};
use crate::ids;
use crate::operation::{AtOnce, Inputs, Running};
use crate::organisation::store as places;
use crate::page::columns;
use crate::page::{Connection, Direction, PageArguments, counter, listing};
use crate::patient::{Patient, PatientStatus, search, store};
use crate::phone::{self, Countries};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, InputObject, Object, Result};

/// Filter for the list of patients.
#[derive(InputObject, Default)]
pub struct PatientFilter {
    /// Of these statuses. Absent: active and archived ones.
    status: Option<Vec<PatientStatus>>,
    /// With a treatment session at or after this moment. For roles that see clinical records.
    has_session_since: Option<DateTime>,
    /// With this chart number; case and signs do not matter. Also whom the patient who has it was merged into.
    chart_number: Option<String>,
    /// With this phone number, as people write it, as their first or another one. Without a country code it is of the
    /// locations' countries.
    phone: Option<String>,
    /// With this e-mail.
    email: Option<String>,
    /// Born on this day.
    birth_date: Option<Date>,
    /// With this identifier of another system; also whom the patient who has it was merged into.
    identifier: Option<ExternalIdentifierInput>,
    /// Registered or changed at or after this moment.
    updated_since: Option<DateTime>,
}

impl PatientFilter {
    /// The rows of what is searched that a patient must have one of, for each condition.
    fn exactly(&self, countries: &Countries) -> Result<Vec<Vec<String>>> {
        let mut exactly = Vec::new();
        exactly.extend(self.chart_number.as_deref().map(|number| vec![search::chart_key(number)]));
        exactly.extend(self.email.as_deref().map(|email| vec![search::email_key(email)]));
        if let Some(phone) = &self.phone {
            let meant = phone::meant(phone, countries);
            if meant.is_empty() {
                let unusable = phone::e164(phone, countries).err().unwrap_or(phone::Unusable::NotANumber);
                return Err(Error::input("filter.phone", unusable.flaw()).into());
            }
            exactly.push(meant.iter().map(|number| search::number_key(number)).collect());
        }
        Ok(exactly)
    }
}

/// The order of the list of patients.
#[derive(InputObject)]
pub struct PatientOrder {
    /// The field to sort by.
    field: store::OrderField,
    /// The sort direction.
    #[graphql(default_with = "Direction::Asc")]
    direction: Direction,
}

/// The queries of this module.
#[derive(Default)]
pub struct PatientQuery;

#[Object]
impl PatientQuery {
    /// A patient; null with NOT_FOUND if there is none with this id.
    async fn patient(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`patient_…`")] id: ID,
    ) -> Option<Result<AtOnce<Patient>>> {
        let found = async {
            let id = ids::argument("id", RecordKind::Patient, &id)?;
            let columns = columns::of_record::<Patient>(ctx);
            Ok(listing::columns_of_one::<Patient>(&mut *ctx.operation()?.reader().await?, id, columns).await?)
        };
        Some(found.await.map(AtOnce))
    }

    /// The patients: by name unless asked otherwise, or by relevance for a search.
    #[allow(clippy::too_many_arguments)]
    async fn patients(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "A name, phone, e-mail or chart number, or part of one, as people write it; each word must be found. Whoever \
                    has exactly this comes first, then whose names begin so, then misspelt ones. At most 100 characters. \
                    A single word that begins over 2,000 names or numbers finds the first 2,000 of them."
        )]
        search: Option<String>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<PatientFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<PatientOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Patient>> {
        let filter = filter.unwrap_or_default();
        let phones = search.iter().chain(&filter.phone).any(|text| search::needs_countries(text));
        let countries = match phones {
            true => places::countries(&mut *ctx.operation()?.reader().await?).await?,
            false => Countries::default(),
        };
        let searched = match search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => None,
            Some(text) if text.chars().count() > search::LONGEST_QUERY => {
                return Err(Error::input(
                    "search",
                    Code::TooLong.says("has over 100 characters: search by part of it").with("max", 100),
                )
                .into());
            }
            Some(text) => {
                let query = search::query(text, &countries);
                Some(query.ok_or_else(|| {
                    Error::input("search", Code::Empty.says("has no letter and no digit to search by"))
                })?)
            }
        };
        let (field, direction) = match order_by {
            Some(order) => (order.field, order.direction),
            None if searched.is_some() => (store::OrderField::Relevance, Direction::Desc),
            None => (store::OrderField::Name, Direction::Asc),
        };
        if field == store::OrderField::Relevance && searched.is_none() {
            return Err(Error::input(
                "orderBy.field",
                Code::Needs.says("RELEVANCE needs a search text").with("other", "text"),
            )
            .into());
        }
        let exactly = filter.exactly(&countries)?;
        let mut inputs = Inputs::new();
        let identifier = filter.identifier.map(|it| it.read(&mut inputs, "filter.identifier"));
        inputs.finish()?;
        let filter = store::Filter {
            exactly,
            search: searched,
            statuses: filter.status.unwrap_or_default(),
            session_since: filter.has_session_since.map(|time| time.0),
            birth_date: filter.birth_date.map(|date| date.0),
            identifier,
            updated_since: filter.updated_since.map(|time| time.0),
        };
        let order = store::order(field, direction);
        let window = PageArguments { first, after, last, before }.window::<Patient>(ctx, &order).await?;
        let columns = columns::of_connection::<Patient>(ctx);
        let page =
            store::page(&mut *ctx.operation()?.reader().await?, &filter, (field, &order), &window, columns).await?;
        let keys: std::collections::HashMap<_, _> =
            page.rows.iter().map(|found| (found.0.id, store::key(field, found))).collect();
        let count = counter(move |operation| {
            let filter = filter.clone();
            async move { store::count(&mut *operation.reader().await?, &filter).await }
        });
        let page = page.map(|(patient, _)| patient);
        Ok(Connection::new(
            page,
            &order,
            |patient| keys.get(&patient.id).cloned().unwrap_or((crate::page::Key::Number(0), patient.id)),
            count,
        ))
    }

    /// Patients who may be the person of whom this would be the chart, the likeliest first: ask before a patient is
    /// registered. Nothing is kept. Compared is what `possibleDuplicates` compares.
    async fn possible_patients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What `registerPatient` would be sent.")] input: RegisterPatientInput,
        #[graphql(desc = "At most this many, the most likely first: 0 to 50, 10 by default.")] first: Option<i32>,
    ) -> Option<Result<Vec<PossibleDuplicate>>> {
        let found = async {
            let operation = ctx.operation()?;
            let countries = countries_for(operation, input.phones(), input.country()).await?;
            duplicates_of(ctx, &input.read(countries)?, first).await
        };
        Some(found.await)
    }
}
