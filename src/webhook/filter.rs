//! What lists of webhooks can be filtered and sorted by.

use super::{Webhook, WebhookStatus};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of webhooks.
    WebhookFilter => WebhookCondition {
        /// Of this service account.
        service_account_id: id(ServiceAccount) "service_account_id",
        /// With one of these statuses.
        status: any_of(WebhookStatus) "status",
        /// Added or changed at or after this moment. A delivery is no change.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of webhooks.
    WebhookOrder /
    /// What lists of webhooks can be sorted by.
    WebhookOrderField of Webhook, id "webhook.id", first Desc {
        /// When they were added.
        CreatedAt "createdAt" "webhook.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "webhook.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
