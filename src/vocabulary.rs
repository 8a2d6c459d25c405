//! Closed lists of words: what the database stores, what GraphQL shows and what a person reads, in one place each.

mod article;
mod skin_type;

pub use article::with_article;
pub use skin_type::FitzpatrickType;

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

            /// The word as shown to people.
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
    /// The kind of a record.
    RecordKind {
        /// The clinic group itself.
        Organisation = "organisation",
        /// A clinic of the organisation.
        Location = "location",
        /// A staff member: the membership of an account in the organisation.
        Staff = "staff",
        /// A credential of a staff member: a profession that somebody is registered in, and what it allows.
        Credential = "credential",
        /// A patient.
        Patient = "patient",
        /// An entry of a patient's health history.
        HealthEntry = "health_entry",
        /// A review of the health history with the patient.
        HealthReview = "health_review",
        /// A clinic's own name or code of the code list.
        HealthTerm = "health_term",
        /// A consultation.
        Consultation = "consultation",
        /// A treatment session.
        TreatmentSession = "treatment_session",
        /// An aftercare note.
        AftercareNote = "aftercare_note",
        /// An addendum to a signed record.
        Addendum = "addendum",
        /// A further signature on a signed record.
        Countersignature = "countersignature",
        /// The retraction of a signed record.
        Retraction = "retraction",
        /// An agreement by which somebody reads part of a colleague's signed records.
        SupervisionAgreement = "supervision_agreement",
        /// The review of a signed record that such an agreement asks for.
        ChartReview = "chart_review",
        /// A device of the catalogue.
        Device = "device",
        /// A product of the catalogue.
        Product = "product",
        /// A lot of a product.
        ProductLot = "product_lot",
        /// A protocol.
        Protocol = "protocol",
        /// A version of a protocol.
        ProtocolVersion = "protocol_version",
        /// A treatment plan.
        TreatmentPlan = "treatment_plan",
        /// A text that patients agree to.
        ConsentTemplate = "consent_template",
        /// A version of such a text.
        ConsentTemplateVersion = "consent_template_version",
        /// A consent.
        Consent = "consent",
        /// A photo.
        Photo = "photo",
        /// An outcome assessment.
        OutcomeAssessment = "outcome_assessment",
        /// An adverse event.
        AdverseEvent = "adverse_event",
        /// A clearance: a prescriber's direction that a patient may be treated.
        Clearance = "clearance",
        /// A recall.
        #[graphql(name = "RECALL")]
        CallBack = "recall",
        /// A merge of two patients.
        PatientMerge = "patient_merge",
        /// A legal hold on a patient's record.
        LegalHold = "legal_hold",
        /// What remains of a patient whose record was erased.
        PatientErasure = "patient_erasure",
        /// A restriction of a patient's record.
        PatientRestriction = "patient_restriction",
        /// Emergency access to a patient's record.
        EmergencyAccess = "emergency_access",
        /// A service account: an account of a program.
        ServiceAccount = "service_account",
        /// A key of a service account.
        ApiKey = "api_key",
        /// A webhook: a receiver that is told of changes.
        Webhook = "webhook",
    }
}

vocabulary! {
    /// What was done to a record.
    Action {
        /// It was read: in the ledger only emergency access and exports say so; looks are in the access log.
        Read = "read",
        /// It was created.
        Create = "create",
        /// It was changed.
        Update = "update",
        /// It was archived.
        Archive = "archive",
        /// It was restored.
        Restore = "restore",
        /// It was signed.
        Sign = "sign",
        /// A draft was published.
        Publish = "publish",
        /// It came to another patient's chart by a merge of the two patients, or back by the merge's undoing.
        Merge = "merge",
        /// All of it was exported.
        Export = "export",
        /// Its content was erased.
        Erase = "erase",
    }
}

vocabulary! {
    /// What somebody may do in the organisation.
    #[graphql(name = "StaffRole")]
    StaffRole {
        /// Manages staff, locations and the organisation; reads clinical records, but writes and signs none.
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
    /// The meaning of a signature.
    SignatureMeaning {
        /// "I did or wrote this."
        Author = "author",
        /// "I take over and answer for the work of another, who did it." For work that a colleague did and can't sign.
        TakenOver = "taken_over",
        /// "I have read this and agree."
        Reviewer = "reviewer",
        /// "I supervised this."
        Supervisor = "supervisor",
    }
}

vocabulary! {
    /// What a patient wants treated.
    Concern {
        /// Fine lines.
        FineLines = "fine_lines",
        /// Wrinkles.
        Wrinkles = "wrinkles",
        /// Scars of acne.
        AcneScars = "acne_scars",
        /// Scars of surgery, injury or burns.
        OtherScars = "other_scars",
        /// Dark patches.
        Hyperpigmentation = "hyperpigmentation",
        /// Stretch marks.
        StretchMarks = "stretch_marks",
        /// Large pores.
        LargePores = "large_pores",
        /// Uneven skin texture.
        SkinTexture = "skin_texture",
        /// Hair thinning or hair loss.
        HairThinning = "hair_thinning",
        /// Something else; the goals say what.
        Other = "other",
    }
}

vocabulary! {
    /// The kind of treatment.
    Modality {
        /// Microneedling (collagen induction therapy).
        Microneedling = "microneedling",
        /// Microneedling with radiofrequency.
        RfMicroneedling = "rf_microneedling",
        /// Platelet-rich plasma.
        Prp = "prp",
        /// Topical growth serum.
        TopicalGrowthSerum = "topical_growth_serum",
        /// LED light therapy.
        LedLightTherapy = "led_light_therapy",
        /// Something else; the note says what.
        Other = "other",
    }
}

vocabulary! {
    /// The kind of a needling device.
    DeviceKind {
        /// A roller or stamp moved by hand.
        Manual = "manual",
        /// A motorised pen.
        MotorisedPen = "motorised_pen",
        /// Needles with radiofrequency.
        Rf = "rf",
        /// Something else.
        Other = "other",
    }
}

vocabulary! {
    /// A part of the body.
    BodyArea {
        /// Forehead.
        Forehead = "forehead",
        /// Between the eyebrows.
        Glabella = "glabella",
        /// Around the eye; never inside the orbital rim.
        Periorbital = "periorbital",
        /// Cheek.
        Cheek = "cheek",
        /// Nose.
        Nose = "nose",
        /// Upper lip.
        UpperLip = "upper_lip",
        /// Chin.
        Chin = "chin",
        /// Jawline.
        Jawline = "jawline",
        /// Neck.
        Neck = "neck",
        /// Décolleté.
        Decolletage = "decolletage",
        /// Scalp.
        Scalp = "scalp",
        /// Abdomen.
        Abdomen = "abdomen",
        /// Thigh.
        Thigh = "thigh",
        /// Hand.
        Hand = "hand",
        /// Elsewhere; the note says where.
        Other = "other",
    }
}

vocabulary! {
    /// A side of the body, the patient's.
    Side {
        /// Left.
        Left = "left",
        /// Right.
        Right = "right",
        /// In the middle.
        Midline = "midline",
        /// Both.
        Bilateral = "bilateral",
    }
}

vocabulary! {
    /// What a product was used as.
    ProductRole {
        /// Needle cartridge.
        Cartridge = "cartridge",
        /// Serum.
        Serum = "serum",
        /// Platelet-rich plasma.
        Prp = "prp",
        /// Growth serum.
        GrowthSerum = "growth_serum",
        /// Anaesthetic.
        Anaesthetic = "anaesthetic",
        /// Something else.
        Other = "other",
    }
}

vocabulary! {
    /// Whether a product is approved for intradermal use. Granulomas are linked to topical products under needling.
    IntradermalUse {
        /// Approved.
        Yes = "yes",
        /// Not approved.
        No = "no",
        /// Not known.
        Unknown = "unknown",
    }
}

vocabulary! {
    /// How strongly an entry contraindicates a treatment.
    ContraindicationSeverity {
        /// Must not be treated.
        Absolute = "absolute",
        /// To be weighed.
        Relative = "relative",
        /// To be kept in mind.
        Caution = "caution",
    }
}

vocabulary! {
    /// What a service account may read. It writes nothing.
    #[allow(clippy::enum_variant_names)] // there is no scope that writes
    ServiceScope {
        /// Patients and recalls: who they are and how to reach them.
        PatientsRead = "patients:read",
        /// Clinical records: health history, consultations, sessions, notes, plans, consents, photos' data, outcomes.
        ClinicalRead = "clinical:read",
        /// Devices, products, lots, protocols and consent texts.
        CatalogueRead = "catalogue:read",
        /// The organisation, its clinics and its staff.
        OrganisationRead = "organisation:read",
        /// Records about access and custody: holds, restrictions, emergency access, erasures, service accounts.
        AuditRead = "audit:read",
    }
}
