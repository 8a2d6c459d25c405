//! What lists of service accounts and of keys can be sorted by.

use super::{ApiKey, ServiceAccount};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of service accounts.
    #[graphql(name = "ServiceAccountFilter")]
    ServiceFilter => ServiceCondition {
        /// True: only those whose keys are accepted. False: only those that were closed.
        active: flag "active",
        /// Created or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of service accounts.
    ServiceOrder /
    /// What lists of service accounts can be sorted by.
    ServiceOrderField of ServiceAccount, id "service_account.id", first Desc {
        /// When they were made.
        CreatedAt "createdAt" "service_account.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "service_account.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

page::list_filter! {
    /// Filter for a list of API keys.
    #[graphql(name = "ApiKeyFilter")]
    KeyFilter => KeyCondition {
        /// Of this service account.
        service_account_id: id(ServiceAccount) "service_account_id",
        /// Created, rotated or revoked at or after this moment. Being used is no change.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of API keys.
    KeyOrder /
    /// What lists of API keys can be sorted by.
    KeyOrderField of ApiKey, id "api_key.id", first Desc {
        /// When they were made.
        CreatedAt "createdAt" "api_key.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}
