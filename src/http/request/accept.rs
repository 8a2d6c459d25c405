//! Which of the two media types of a GraphQL response a client wants.

use actix_web::http::header::{self, HeaderMap};

/// The media type of an answer. It decides the status codes too: see `http::response`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status code says how it went.
    GraphqlResponse,
    /// `application/json`, for clients older than the draft: 200 for whatever was well-formed.
    Json,
}

impl MediaType {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// The best of what is acceptable. No header, or nothing but wildcards, is an old client: `application/json`.
pub(super) fn negotiate(head: &HeaderMap) -> Option<MediaType> {
    let mut present = false;
    let mut best: Option<(Preference, MediaType)> = None;
    let ranges: Vec<Range<'_>> = ranges(head).inspect(|_| present = true).collect();
    if !present && !head.contains_key(header::ACCEPT) {
        return Some(MediaType::Json);
    }
    // Of two equally wanted the later wins: wildcards alone mean an old client, both by name mean a new one.
    for media in [MediaType::GraphqlResponse, MediaType::Json] {
        let (whole, subtype) = match media {
            MediaType::GraphqlResponse => ("application/graphql-response+json", 1),
            MediaType::Json => ("application/json", 0),
        };
        // The most specific range that fits decides the quality (RFC 9110, 12.5.1).
        let fit = ranges.iter().filter_map(|range| Some((range.specificity(whole)?, range.quality))).max();
        if let Some((specificity, quality)) = fit
            && quality > 0
        {
            let named = if specificity == BY_NAME { subtype } else { 0 };
            let preference = Preference { quality, specificity, named };
            if best.is_none_or(|(best, _)| preference >= best) {
                best = Some((preference, media));
            }
        }
    }
    best.map(|(_, media)| media)
}

/// The media type of server-sent events.
pub(in crate::http) const EVENTS: &str = "text/event-stream";

/// How much a client wants an operation's results as server-sent events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// Not at all.
    No,
    /// For what can't be answered otherwise.
    IfMustBe,
    /// Rather than as JSON.
    Rather,
}

/// Whether events are wanted: they must be named. Clients name them beside JSON for whatever they send (urql).
pub(super) fn events(head: &HeaderMap) -> Events {
    let quality_of = |named: &[&str]| {
        let fit = ranges(head).filter(|range| named.iter().any(|name| range.name.eq_ignore_ascii_case(name)));
        fit.map(|range| range.quality).max().unwrap_or(0)
    };
    let json = quality_of(&["application/json", "application/graphql-response+json", "application/*", "*/*"]);
    match quality_of(&[EVENTS]) {
        0 => Events::No,
        wanted if wanted > json => Events::Rather,
        _ => Events::IfMustBe,
    }
}

/// Whether a browser is being pointed here: it names `text/html`, GraphQL clients don't.
pub(super) fn wants_page(head: &HeaderMap) -> bool {
    ranges(head).any(|range| range.name.eq_ignore_ascii_case("text/html") && range.quality > 0)
}

const BY_NAME: u8 = 2;

/// Compared member by member, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    quality: u16,
    specificity: u8,
    named: u8,
}

struct Range<'a> {
    name: &'a str,
    /// In thousandths.
    quality: u16,
}

impl Range<'_> {
    fn specificity(&self, media: &str) -> Option<u8> {
        match self.name {
            "*/*" => Some(0),
            name if name.eq_ignore_ascii_case("application/*") => Some(1),
            name if name.eq_ignore_ascii_case(media) => Some(BY_NAME),
            _ => None,
        }
    }
}

fn ranges(head: &HeaderMap) -> impl Iterator<Item = Range<'_>> {
    let values = head.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let quality = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        Some(Range { name, quality: quality.unwrap_or(1000) })
    })
}

/// A quality value in thousandths; one that makes no sense counts as not wanted.
fn thousandths(text: &str) -> u16 {
    match text.parse::<f32>() {
        Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn negotiated(accept: Option<&str>) -> Option<MediaType> {
        let request = TestRequest::default();
        let request = match accept {
            Some(accept) => request.insert_header((header::ACCEPT, accept)),
            None => request,
        };
        negotiate(request.to_http_request().headers())
    }

    #[test]
    fn the_best_acceptable_type_is_chosen() {
        const NEW: Option<MediaType> = Some(MediaType::GraphqlResponse);
        const OLD: Option<MediaType> = Some(MediaType::Json);
        let cases = [
            (None, OLD),
            (Some("*/*"), OLD),
            (Some("application/*"), OLD),
            (Some("application/json"), OLD),
            (Some("APPLICATION/JSON; charset=utf-8"), OLD),
            (Some("application/graphql-response+json"), NEW),
            (Some("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"), NEW),
            (Some("application/json, application/graphql-response+json"), NEW),
            (Some("application/graphql-response+json, application/json;q=0.9"), NEW),
            (Some("application/graphql-response+json;q=0.5, application/json;q=0.9"), OLD),
            (Some("application/graphql-response+json;q=0.8, */*;q=0.1"), NEW),
            (Some("application/json, text/plain, */*"), OLD),
            (Some("application/graphql-response+json, */*"), NEW),
            (Some("application/json;q=0, */*"), NEW),
            (Some("application/graphql-response+json;q=0, application/*"), OLD),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), OLD),
            (Some("text/event-stream, application/json;q=0.001"), OLD),
            (Some(" , application/json ,,"), OLD),
            (Some("text/html"), None),
            (Some("application/xml, application/json;q=0"), None),
            (Some("*/*;q=0"), None),
            (Some("application/json;q=NaN"), None),
            (Some("application/json;q=7"), None),
            (Some("application/jsonp"), None),
            (Some(""), None),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiated(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn events_are_wanted_by_name() {
        for (accept, expected) in [
            ("text/event-stream", Events::Rather),
            ("text/event-stream, multipart/mixed", Events::Rather),
            ("Text/Event-Stream, */*;q=0.5", Events::Rather),
            ("text/event-stream, application/json;q=0.001", Events::Rather),
            (
                "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
                Events::IfMustBe,
            ),
            ("application/json;q=0.9, text/event-stream;q=0.1", Events::IfMustBe),
            ("text/event-stream;q=0", Events::No),
            ("text/*", Events::No),
            ("*/*", Events::No),
            ("application/json", Events::No),
        ] {
            let request = TestRequest::default().insert_header((header::ACCEPT, accept)).to_http_request();
            assert_eq!(events(request.headers()), expected, "{accept}");
        }
    }

    #[test]
    fn several_accept_headers_are_one_list() {
        let request = TestRequest::default()
            .append_header((header::ACCEPT, "text/html"))
            .append_header((header::ACCEPT, "application/graphql-response+json"))
            .to_http_request();
        assert_eq!(negotiate(request.headers()), Some(MediaType::GraphqlResponse));
        assert!(wants_page(request.headers()));
    }
}
