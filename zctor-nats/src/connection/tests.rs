use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};

use super::*;

/// How long the bridge waits for the server of the test at most.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that passes on what is published, and tells the subject of each subscription. Gives its address.
fn server() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("nats://{}", listener.local_addr().expect("it has one"));
    let (tell, told) = mpsc::channel();
    Builder::new()
        .spawn(move || {
            let (stream, _) = listener.accept().expect("the bridge connects");
            // An error: the bridge has closed.
            let _ = pass_on(&stream, &tell);
        })
        .expect("a thread");
    (address, told)
}

fn pass_on(mut stream: &TcpStream, tell: &mpsc::Sender<String>) -> io::Result<()> {
    let info = r#"{"server_id":"a","server_name":"a","host":"a","port":1,"version":"2.10.0","go":"","proto":1,"#;
    let rest = r#""max_payload":65536,"client_id":1,"headers":true}"#;
    write!(stream, "INFO {info}{rest}\r\n")?;
    let (mut from, mut line) = (BufReader::new(stream), String::new());
    let mut subscribed: Vec<(String, String)> = Vec::new();
    while from.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["PING"] => write!(stream, "PONG\r\n")?,
            ["SUB", subject, .., id] => {
                subscribed.push((subject.to_owned(), id.to_owned()));
                tell.send(subject.to_owned()).unwrap_or_default();
            }
            ["PUB", subject, .., length] => {
                let mut payload = vec![0; length.parse::<usize>().expect("a length") + 2];
                from.read_exact(&mut payload)?;
                let hears = |to: &str| to == subject || to.strip_suffix('>').is_some_and(|to| subject.starts_with(to));
                for (_, id) in subscribed.iter().filter(|(to, _)| hears(to)) {
                    write!(stream, "MSG {subject} {id} {length}\r\n")?;
                    stream.write_all(&payload)?;
                }
            }
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

/// Issue #17: `serve` said that the pool is served, though nothing would have been taken in.
#[test]
fn serve_subscribes_again_where_the_task_of_a_subscription_has_ended() {
    let (address, told) = server();
    let settings = Settings {
        servers: vec![address],
        namespace: "test".to_owned(),
        name: "test".to_owned(),
        deadline: LIMIT,
        patience: LIMIT,
        ack_wait: LIMIT,
        authority: Authority::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (end, under_way) = (Arc::<End>::default(), Arc::new(UnderWay::new(LIMIT)));
        let (arrived, (commands, _orders)) = (Arc::new(Arrivals::default()), unbounded_channel());
        let mut outgoing = Outgoing::start(&settings, &end, &under_way).await.expect("the server is there");
        let subject = wire::subject("test", "LogMessage", Route::Turn);
        let subscriptions = || told.try_iter().filter(|told| *told == subject).count();
        for (ends, subscribes) in [(false, 1), (false, 0), (true, 1), (false, 0)] {
            if ends {
                let subscription = &outgoing.subscribed[&subject];
                subscription.abort();
                while !subscription.has_ended() {
                    tokio::task::yield_now().await;
                }
            }
            outgoing.serve("LogMessage", &[Route::Turn], &end, &arrived, &commands).await.expect("the server is there");
            assert_eq!(subscriptions(), subscribes);
        }
    });
}
