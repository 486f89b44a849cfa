//! The debug page in a real browser: what is there, what is decided as it is decided, and nothing that clients sent
//! is run.

use kthena_e2e::{Page, Setup, manifests, until};

/// What a manifest or a client may call a model, or send as a request id.
const HOSTILE: &str = r#"<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"#;

#[tokio::test]
async fn the_page_shows_endpoints_and_decisions_live_and_runs_nothing_that_clients_sent() {
    let route = manifests::route("hostile", &format!("'{}'", HOSTILE.replace('\'', "''")), &[("small", 100)]);
    let all = route + &manifests::server("small", "served", "") + &manifests::route("lost", "lost", &[("none", 100)]);
    let kthena = Setup::simulated(&[("all.yaml", &all)]).flags(&["--open"]).up();
    let line = kthena.output.find(0, |line| line.starts_with("open http://")).expect("the page's address");
    let url = line.strip_prefix("open ").unwrap();

    let page = Page::open(url).await;
    page.until("document.querySelectorAll('#endpoints tbody tr').length === 2").await;
    page.until("document.querySelector('#endpoints').innerText.includes('default/small-sim-0')").await;
    page.until("document.querySelector('#routes').innerText.includes('<img src=x')").await;
    page.until("document.querySelector('#problems').innerText.includes('ModelRoute default/lost')").await;
    page.until("document.querySelector('#xds').innerText.includes('accepted')").await;
    page.until("document.querySelector('#state').innerText === 'live'").await;
    page.until("!document.querySelector('#decisions .empty').hidden").await;

    kthena.client().chat_with(HOSTILE, &[("x-request-id", HOSTILE)]).await.ok();
    page.until("document.querySelectorAll('#decisions tr.decision').length === 1").await;
    page.until("document.querySelector('#decisions').innerText.includes('<script>document.title')").await;
    page.eval("document.querySelector('#decisions tr.decision').click()").await;
    page.until("document.querySelector('#decisions tr.why').innerText.includes('least-request 100 × 1')").await;
    page.until("document.querySelector('#decisions tr.why').innerText.includes('then 1 to retry')").await;

    assert_eq!(page.eval("document.title").await, "Kthena router");
    assert_eq!(page.eval("document.querySelectorAll('img, #decisions script').length").await, 0);
    assert_eq!(page.complaints(), Vec::<String>::new());
    let requests = page.requests();
    let elsewhere: Vec<_> = requests.iter().filter(|asked| !asked.starts_with(url) && *asked != "data:,").collect();
    assert!(elsewhere.is_empty() && requests.iter().any(|asked| asked.ends_with("/stream")), "{requests:?}");
}

#[tokio::test]
async fn the_page_follows_a_router_that_was_killed_and_started_again() {
    let all = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "served", "");
    let kthena = Setup::simulated(&[("all.yaml", &all)]).up();
    let page = Page::open(&format!("http://{}:15000/", kthena.address().ip())).await;
    page.until("document.querySelector('#state').innerText === 'live'").await;
    let killed = kthena.child("router");
    kthena.signal(killed, rustix::process::Signal::KILL);
    until("the next router", async || (kthena.child("router") != killed).then_some(())).await;
    until("its decision", async || {
        kthena.client().chat("m").await.ok();
        let made = kthena.debug().try_get("/debug/decisions").await.ok()?.json();
        made["decisions"].as_array().is_some_and(|made| !made.is_empty()).then_some(())
    })
    .await;
    page.until("document.querySelectorAll('#decisions tr.decision').length > 0").await;
}
