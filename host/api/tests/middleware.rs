//! Hooks: their order, what they see and change, and how they end a request.

mod peer;

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use peer::{Says, Table};
use tidegate_api::middleware::{Answer, Asking, Middleware};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Body, Code, Error, Response, body_channel};

type Heard = Arc<Mutex<Vec<String>>>;

fn table() -> Arc<Table> {
    Table::new([("/ok", Says::Text("text/plain", "hello".to_owned())), ("/no", Says::Code(409))])
}

fn hearing(heard: &Heard) -> impl Fn(&str) + Clone + Send + Sync + 'static {
    let heard = heard.clone();
    move |what: &str| heard.lock().unwrap().push(what.to_owned())
}

async fn text(response: Response) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&response.body.whole(1 << 20).await?).into_owned())
}

#[tokio::test]
async fn hooks_are_called_in_order_and_see_what_the_last_one_left() {
    let heard = Heard::default();
    let (first, second, third, fourth) = (hearing(&heard), hearing(&heard), hearing(&heard), hearing(&heard));
    let middleware = Middleware::new()
        .on_request("to ok", move |mut asking: Asking| {
            first(&format!("1 {} {} {}", asking.number, asking.request.method, asking.request.path));
            asking.request.path = "/ok".to_owned();
            asking.request.query.push(("seen".to_owned(), "yes".to_owned()));
            async move { Ok(asking) }
        })
        .on_request("look", move |asking: Asking| {
            second(&format!("2 {} {:?}", asking.request.path, asking.request.query));
            async move { Ok(asking) }
        })
        .on_response("look", move |answer: Answer| {
            third(&format!("3 {} {} {:?}", answer.asked.number, answer.asked.path, answer.code()));
            async move { Ok(answer) }
        })
        .on_response("shout", move |mut answer: Answer| {
            fourth("4");
            if let Ok(response) = &mut answer.outcome {
                response.warnings.push("shouted".to_owned());
                let body = std::mem::replace(&mut response.body, Body::from_bytes("".into()));
                response.body =
                    body.wrap(|body| body.map(|chunk| chunk.map(|chunk| chunk.to_ascii_uppercase().into())));
            }
            async move { Ok(answer) }
        });
    let table = table();
    let transport = middleware.around(table.dynamic());
    assert_eq!(transport.credentials(), table.credentials, "hooks hide nothing of the connection beneath");
    let response = transport.clone().send(Request::new(Method::Get, "/elsewhere"), None).await.unwrap();
    assert_eq!(response.warnings, ["shouted"]);
    assert_eq!(text(response).await.unwrap(), "HELLO");
    assert_eq!(table.log(), ["GET /ok?seen=yes"]);
    let expected = ["1 1 GET /elsewhere", "2 /ok [(\"seen\", \"yes\")]", "3 1 /ok Some(200)", "4"];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn an_error_ends_the_request_and_names_the_hook() {
    let heard = Heard::default();
    let never = hearing(&heard);
    let middleware = Middleware::new()
        .on_request("no deletes", |asking: Asking| async move {
            match asking.request.method {
                Method::Delete => Err("this tenant deletes nothing".into()),
                _ => Ok(asking),
            }
        })
        .on_response("no conflicts", |answer: Answer| async move {
            match answer.code() {
                Some(409) => Err("never heard of it".into()),
                _ => Ok(answer),
            }
        })
        .on_response("after", move |answer: Answer| {
            never("after");
            async move { Ok(answer) }
        });
    assert_eq!(
        format!("{middleware:?}"),
        r#"Middleware { requests: ["no deletes"], responses: ["no conflicts", "after"] }"#
    );
    let table = table();
    let transport = middleware.around(table.dynamic());
    for (method, path, expected) in [
        (
            Method::Delete,
            "/ok",
            "the request hook \"no deletes\" ended DELETE /ok: this tenant deletes nothing",
        ),
        (Method::Get, "/no", "the response hook \"no conflicts\" ended GET /no: never heard of it"),
    ] {
        let error = transport.clone().send(Request::new(method, path), None).await.unwrap_err();
        assert_eq!((error.code(), error.report().as_str()), (Code::Halted, expected));
    }
    assert_eq!(table.asked(), 1);
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_hook_may_answer_for_the_server_and_sees_bodies_that_are_whole() {
    let heard = Heard::default();
    let hear = hearing(&heard);
    let middleware = Middleware::new()
        .on_request("bodies", move |asking: Asking| {
            hear(&format!("{:?} {}", asking.request.body, asking.streams_body));
            async move { Ok(asking) }
        })
        .on_response("mend", |mut answer: Answer| async move {
            if answer.code() == Some(404) {
                let body = Body::from_bytes("mended".into());
                answer.outcome = Ok(Response { code: 200, content_type: None, warnings: Vec::new(), body });
            }
            Ok(answer)
        });
    let transport = middleware.around(table().dynamic());
    let mut request = Request::new(Method::Post, "/missing");
    request.body = Some("{}".into());
    let response = transport.clone().send(request, None).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "mended");
    let (_writer, reader) = body_channel();
    transport.send(Request::new(Method::Post, "/ok"), Some(reader)).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["Some(b\"{}\") false", "None true"]);
}

#[test]
fn without_hooks_there_is_nothing_around_a_connection() {
    let transport = table().dynamic();
    assert!(Arc::ptr_eq(&transport, &Middleware::new().around(transport.clone())));
}
