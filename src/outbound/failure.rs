//! Why nothing was delivered, in a word: for the log, the API and the meters.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// Why a delivery failed.
    #[graphql(name = "WebhookError")]
    Failure {
        /// An address of the receiver is of a network that webhooks may not reach, or is not of the form that they take.
        NotAllowed = "not_allowed",
        /// The name of the receiver was not found.
        Dns = "dns",
        /// Nobody answers at its address.
        Connect = "connect",
        /// TLS failed: the certificate does not hold, or there is no TLS.
        Tls = "tls",
        /// There was no answer in time.
        Timeout = "timeout",
        /// The connection broke, or what came is no HTTP.
        Protocol = "protocol",
        /// The answer is another than 200 to 299: `statusCode` says which.
        Status = "status",
    }
}
