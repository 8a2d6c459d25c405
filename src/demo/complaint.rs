//! What patients come for: how a practitioner writes it down, and how it is treated.

use crate::consultation::ScarType;
use crate::vocabulary::{BodyArea, Concern, Modality, Side};
use BodyArea::{
    Abdomen, Cheek, Chin, Decolletage, Forehead, Glabella, Hand, Jawline, Neck, Nose, Periorbital, Scalp, Thigh,
    UpperLip,
};
use Side::{Bilateral, Left, Midline, Right};

/// A complaint.
pub(super) struct Complaint {
    /// In how many of 1,000 consultations.
    pub(super) weight: usize,
    pub(super) concerns: &'static [Concern],
    pub(super) scar_types: &'static [ScarType],
    pub(super) goals: &'static [&'static str],
    pub(super) findings: &'static [&'static str],
    pub(super) plan: &'static str,
    /// The usual treatment, and others in so many of 1,000 courses.
    pub(super) modality: Modality,
    pub(super) others: &'static [(usize, Modality)],
    /// One of these sets is treated throughout the course.
    pub(super) areas: &'static [&'static [(BodyArea, Side)]],
}

/// All of them.
pub(super) const COMPLAINTS: &[Complaint] = &[
    Complaint {
        weight: 300,
        concerns: &[Concern::AcneScars, Concern::SkinTexture],
        scar_types: &[ScarType::Rolling, ScarType::Boxcar, ScarType::Icepick],
        goals: &[
            "Smoother cheeks; wants to go without heavy make-up",
            "Scars less visible in side light",
            "Even skin before a wedding next year",
        ],
        findings: &[
            "Rolling and shallow boxcar scars on both cheeks, worse on the left; no active lesions",
            "Atrophic scars of both cheeks and temples, a few icepick scars on the nose; skin otherwise calm",
            "Grade 3 atrophic scarring of the cheeks (Goodman and Baron); some post-inflammatory redness",
        ],
        plan: "microneedling of the cheeks, 1.0 to 2.0 mm by area; scars improve, seldom go",
        modality: Modality::Microneedling,
        others: &[(180, Modality::RfMicroneedling), (80, Modality::Prp)],
        areas: &[
            &[(Cheek, Left), (Cheek, Right)],
            &[(Cheek, Left), (Cheek, Right), (Forehead, Bilateral)],
            &[(Cheek, Bilateral), (Chin, Midline), (Jawline, Bilateral)],
        ],
    },
    Complaint {
        weight: 260,
        concerns: &[Concern::FineLines, Concern::Wrinkles],
        scar_types: &[],
        goals: &[
            "Softer lines around the eyes and mouth, nothing that shows",
            "To look less tired",
            "Fresher skin without injections",
        ],
        findings: &[
            "Fine static lines periorbital and perioral, moderate photoageing; good elasticity",
            "Dynamic forehead lines with a static component, crow's feet; Glogau II",
            "Superficial lines of the upper lip, mild laxity of the jawline",
        ],
        plan: "microneedling of the face, shallow around the eyes; maintenance every 6 to 12 months",
        modality: Modality::Microneedling,
        others: &[(160, Modality::RfMicroneedling), (120, Modality::Prp)],
        areas: &[
            &[(Forehead, Bilateral), (Periorbital, Bilateral)],
            &[(Periorbital, Bilateral), (UpperLip, Midline), (Cheek, Bilateral)],
            &[(Forehead, Bilateral), (Glabella, Midline), (Neck, Midline)],
        ],
    },
    Complaint {
        weight: 150,
        concerns: &[Concern::LargePores, Concern::SkinTexture],
        scar_types: &[],
        goals: &["Smaller pores on nose and cheeks", "A more even surface; make-up settles in the pores"],
        findings: &[
            "Enlarged pores of nose and medial cheeks, mild seborrhoea",
            "Uneven texture of the T-zone, few comedones, no inflammation",
        ],
        plan: "microneedling, superficial, together with a gentle skin care at home",
        modality: Modality::Microneedling,
        others: &[(100, Modality::RfMicroneedling), (80, Modality::LedLightTherapy)],
        areas: &[&[(Nose, Midline), (Cheek, Bilateral)], &[(Forehead, Bilateral), (Nose, Midline), (Cheek, Bilateral)]],
    },
    Complaint {
        weight: 110,
        concerns: &[Concern::Hyperpigmentation],
        scar_types: &[],
        goals: &["Patches on the cheeks fainter by summer", "A more even tone, also on the hands"],
        findings: &[
            "Post-inflammatory hyperpigmentation of both cheeks, epidermal under Wood's light",
            "Solar lentigines of cheeks and backs of the hands; melasma component upper lip",
        ],
        plan: "careful superficial microneedling after a patch test; sun protection every day is part of it, the patches fade and are not removed",
        modality: Modality::Microneedling,
        others: &[(150, Modality::LedLightTherapy)],
        areas: &[&[(Cheek, Bilateral)], &[(Cheek, Bilateral), (UpperLip, Midline)], &[(Hand, Bilateral)]],
    },
    Complaint {
        weight: 110,
        concerns: &[Concern::HairThinning],
        scar_types: &[],
        goals: &[
            "Fuller hair at the parting",
            "To keep what hair there is on the crown",
            "Less shedding since the pregnancy",
        ],
        findings: &[
            "Widened parting, Ludwig I; pull test negative, scalp without scaling",
            "Thinning of vertex and temples, Norwood III; miniaturised hairs on trichoscopy",
        ],
        plan: "scalp microneedling with growth serum; thickening lasts months and is lost without maintenance",
        modality: Modality::Microneedling,
        others: &[(380, Modality::Prp), (220, Modality::TopicalGrowthSerum)],
        areas: &[&[(Scalp, Midline)], &[(Scalp, Bilateral)]],
    },
    Complaint {
        weight: 70,
        concerns: &[Concern::StretchMarks, Concern::OtherScars],
        scar_types: &[],
        goals: &["Stretch marks flatter and paler", "The scar of the operation softer"],
        findings: &[
            "Striae albae of abdomen and thighs, atrophic, 3 to 8 mm wide",
            "Mature scar over two years old, pale, slightly sunken, not adherent",
        ],
        plan: "microneedling 1.5 to 2.5 mm, results slower than on the face",
        modality: Modality::Microneedling,
        others: &[(200, Modality::RfMicroneedling)],
        areas: &[&[(Abdomen, Bilateral)], &[(Thigh, Left), (Thigh, Right)], &[(Decolletage, Midline), (Neck, Midline)]],
    },
];

/// Needle depth of an area, least and most, in quarters of a millimetre: the steps of the common pen.
pub(super) fn depth_in_quarters(area: BodyArea) -> (i64, i64) {
    match area {
        Periorbital => (1, 2),
        Forehead | Glabella | Nose | UpperLip | Hand => (2, 4),
        Neck => (2, 4),
        Decolletage => (2, 5),
        Chin | Jawline => (4, 6),
        Cheek => (4, 8),
        Scalp => (2, 6),
        Abdomen | Thigh => (6, 10),
        BodyArea::Other => (2, 4),
    }
}
