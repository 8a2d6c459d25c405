//! What one connection may ask at once. HTTP/1.1 asks one thing at a time; over HTTP/2 a client opens as many streams as
//! it likes, and the server below says no number.

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::header::RETRY_AFTER;
use actix_web::http::{StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use std::any::Any;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of a connection that are worked on at once, each until its answer is with the client.
const AT_ONCE: usize = 100;
/// Requests of it that wait for their turn. More are refused.
const WAITING: usize = 400;
/// A head as HTTP/1.1 takes it: bytes and fields.
const HEAD_BYTES: usize = 131_072;
const HEAD_FIELDS: usize = 96;

/// The places of a connection.
#[derive(Clone)]
struct Streams {
    places: Arc<Semaphore>,
    waiting: Rc<Cell<usize>>,
}

/// Gives a new connection its places.
pub fn open(_: &dyn Any, connection: &mut Extensions) {
    connection.insert(Streams { places: Arc::new(Semaphore::new(AT_ONCE)), waiting: Rc::default() });
}

/// Holds a connection of HTTP/2 to its places, and a head to its size. What is refused has no body: a client that takes
/// no answers must not make them pile up.
pub async fn hold(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, Held>>, Error> {
    if request.version() != Version::HTTP_2 {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if is_too_large(&request) {
        return Ok(refuse(request, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    let Some(streams) = request.conn_data::<Streams>().cloned() else {
        return Ok(refuse(request, StatusCode::SERVICE_UNAVAILABLE));
    };
    let place = match Arc::clone(&streams.places).try_acquire_owned() {
        Ok(place) => Ok(place),
        Err(_) if streams.waiting.get() >= WAITING => return Ok(refuse(request, StatusCode::SERVICE_UNAVAILABLE)),
        Err(_) => {
            let _turn = Turn::take(&streams.waiting);
            Arc::clone(&streams.places).acquire_owned().await
        }
    };
    let Ok(place) = place else { return Ok(refuse(request, StatusCode::SERVICE_UNAVAILABLE)) };
    let answer = next.call(request).await?;
    Ok(answer.map_body(|_, body| EitherBody::right(Held { body: body.boxed(), _place: Some(place) })))
}

fn is_too_large(request: &ServiceRequest) -> bool {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let mut bytes = target;
    let mut fields = 0;
    for (name, value) in request.headers() {
        bytes += name.as_str().len() + value.len() + 4;
        fields += 1;
    }
    bytes > HEAD_BYTES || fields > HEAD_FIELDS
}

fn refuse<B>(request: ServiceRequest, status: StatusCode) -> ServiceResponse<EitherBody<B, Held>> {
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, "1"));
    }
    let (request, _) = request.into_parts();
    let answer = answer.finish().map_body(|_, body| EitherBody::right(Held { body, _place: None }));
    ServiceResponse::new(request, answer)
}

/// One that waits, while it waits.
struct Turn(Rc<Cell<usize>>);

impl Turn {
    fn take(waiting: &Rc<Cell<usize>>) -> Self {
        waiting.set(waiting.get() + 1);
        Self(Rc::clone(waiting))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// An answer's body, with the place that its request holds until the client has it.
pub struct Held {
    body: BoxBody,
    _place: Option<OwnedSemaphorePermit>,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<web::Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
