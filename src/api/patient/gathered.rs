//! What a patient shows that is gathered from several records: merges, pairs of photos.

use crate::merge::PatientMerge;
use crate::operation::Running;
use crate::page::listing;
use crate::photo::{self, Photo, PhotoPair, PhotoView};
use crate::vocabulary::BodyArea;
use async_graphql::{Context, Result};
use uuid::Uuid;

/// Merges of a patient, newest first: those of others into them, and theirs into another.
pub(super) async fn merges(ctx: &Context<'_>, patient: Uuid) -> Result<Vec<PatientMerge>> {
    let mut merges: Vec<PatientMerge> = listing::whole(ctx, ("into_id", patient)).await?;
    merges.extend(listing::whole::<PatientMerge>(ctx, ("from_id", patient)).await?);
    merges.sort_by_key(|merge| std::cmp::Reverse((merge.merged_at, merge.id)));
    Ok(merges)
}

/// A patient's photos from before and after a treatment that can be laid side by side, of one area or view if asked.
pub(super) async fn photo_pairs(
    ctx: &Context<'_>,
    patient: Uuid,
    area: Option<BodyArea>,
    view: Option<PhotoView>,
) -> Result<Vec<PhotoPair>> {
    let photos = listing::whole::<Photo>(ctx, ("patient_id", patient)).await?;
    let wanted =
        |photo: &Photo| area.is_none_or(|area| photo.area == area) && view.is_none_or(|view| photo.view == view);
    let pairs = photo::pairs(&photos, wanted);
    ctx.operation()?.lead_to(pairs.len().saturating_mul(2))?;
    Ok(pairs)
}
