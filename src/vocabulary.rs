//! Closed lists of words: what the database stores, what GraphQL shows and what a person reads, in one place each.

/// Declares a list of words as an enum: a GraphQL enum (SCREAMING_CASE), a text in the database and in the ledger
/// (the string given), and `words()` for messages.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            async_graphql::Enum, serde::Serialize, serde::Deserialize,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Text)]
        $(#[$meta])*
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every word of the list.
            #[allow(dead_code)]
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as the database and the ledger keep it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The word as a person reads it.
            #[allow(dead_code)]
            pub fn words(self) -> String {
                self.as_str().replace('_', " ")
            }

            /// Reads the database's word.
            #[allow(dead_code)]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                std::io::Write::write_all(out, self.as_str().as_bytes())?;
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                let text = std::str::from_utf8(bytes.as_bytes())?;
                Self::parse(text).ok_or_else(|| concat!("unknown word in a column of ", stringify!($name)).into())
            }
        }
    };
}
pub(crate) use vocabulary;

vocabulary! {
    /// A kind of record.
    RecordKind {
        /// The clinic group itself.
        Organisation = "organisation",
        /// A clinic of the organisation.
        Location = "location",
        /// Somebody's place in the organisation.
        Staff = "staff",
        /// A patient.
        Patient = "patient",
        /// An entry of a patient's health history.
        HealthEntry = "health_entry",
        /// A consultation.
        Consultation = "consultation",
        /// A treatment session.
        TreatmentSession = "treatment_session",
        /// An aftercare note.
        AftercareNote = "aftercare_note",
        /// What was added to a signed record.
        Addendum = "addendum",
    }
}

vocabulary! {
    /// What was done to a record.
    Action {
        /// It was looked at.
        Read = "read",
        /// It was made.
        Create = "create",
        /// It was changed.
        Update = "update",
        /// It was put away.
        Archive = "archive",
        /// It was brought back.
        Restore = "restore",
        /// It was signed.
        Sign = "sign",
    }
}

vocabulary! {
    /// What somebody may do in the organisation.
    #[graphql(name = "StaffRole")]
    StaffRole {
        /// Manages staff, locations and the organisation; reads clinical records, writes and signs none.
        Admin = "admin",
        /// Writes and signs clinical records.
        Practitioner = "practitioner",
        /// Registers patients; sees no clinical record.
        FrontDesk = "front_desk",
        /// Reads everything, writes nothing.
        Auditor = "auditor",
    }
}

vocabulary! {
    /// What a signature says.
    SignatureMeaning {
        /// "I did or wrote this."
        Author = "author",
        /// "I have read this and agree."
        Reviewer = "reviewer",
        /// "I supervised this."
        Supervisor = "supervisor",
    }
}
