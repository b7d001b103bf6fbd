//! The server: this machine's own by default, and nobody's without the token.

mod answer;
mod cases;
mod decisions;
mod files;
mod guard;
mod layers;
mod picture;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};

use crate::case::LoadedCase;
use crate::store::LayerKey;
use crate::{AnnotateError, CaseFiles, Dataset, FindRegions, Store, export};
use guard::Guard;

/// No request is larger: a stroke of runs takes a few kilobytes.
const MOST_BODY_BYTES: usize = 4 << 20;
/// Cases whose images are kept in memory.
const KEPT_CASES: usize = 3;
/// Label maps are written so long after the last change.
const QUIET: Duration = Duration::from_millis(800);

/// What is served, to whom.
pub struct Options {
    /// The cases.
    pub dataset: Dataset,
    /// The only rater, if the page is not to ask.
    pub rater: Option<String>,
    /// The address to listen on.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Where regions come from, to be shown and proposed; `None`: from nowhere.
    pub find_regions: Option<Box<FindRegions>>,
}

/// What every request can reach.
struct App {
    dataset: Dataset,
    store: Store,
    rater: Option<String>,
    find_regions: Option<Box<FindRegions>>,
    guard: Guard,
    loaded: Mutex<VecDeque<Arc<LoadedCase>>>,
    changed: Mutex<Option<mpsc::Sender<()>>>,
}

type Shared = Arc<App>;

/// Serves until interrupted (Ctrl-C or SIGTERM). `ready` is called with the address to open.
/// Label maps that an earlier run did not get to write are written first, the others while it
/// runs and at the end. Of [results](Dataset::from_results) nothing is written.
///
/// # Errors
/// A port that is taken, a store that cannot be opened.
pub fn serve(options: Options, ready: impl FnOnce(&str)) -> Result<(), AnnotateError> {
    let only_shown = options.dataset.is_of_results();
    let store = if only_shown { Store::in_memory()? } else { Store::open(&options.dataset.out)? };
    if let Some(rater) = &options.rater {
        store.add_rater(rater)?;
    }
    if !only_shown {
        export::write_pending(&options.dataset, &store)?;
    }
    let address = SocketAddr::new(options.host, options.port);
    let no_address = |source: std::io::Error| {
        AnnotateError::refused(format!(
            "cannot listen on {address} ({source}); choose another --port"
        ))
    };
    let listener = std::net::TcpListener::bind(address).map_err(no_address)?;
    listener.set_nonblocking(true).map_err(no_address)?;
    let local = listener.local_addr().map_err(no_address)?;
    let guard = Guard::new(local)?;
    let url = guard.url();
    let (sender, changes) = mpsc::channel();
    let app = Arc::new(App {
        dataset: options.dataset,
        store,
        rater: options.rater,
        find_regions: options.find_regions,
        guard,
        loaded: Mutex::default(),
        changed: Mutex::new(Some(sender)),
    });
    let writer = {
        let app = Arc::clone(&app);
        std::thread::spawn(move || write_after_changes(&app, &changes))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(no_address)?;
    let outcome = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready(&url);
        let reading = Arc::clone(&app);
        tokio::task::spawn_blocking(move || reading.read_ahead());
        axum::serve(listener, router(Arc::clone(&app))).with_graceful_shutdown(interrupted()).await
    });
    // Open connections must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(2));
    app.changed.lock().unwrap_or_else(PoisonError::into_inner).take();
    let _ = writer.join();
    outcome.map_err(no_address)
}

async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let asked = tokio::signal::ctrl_c();
    tokio::pin!(terminated, asked);
    std::future::poll_fn(|context| {
        use std::future::Future;
        use std::task::Poll;
        if terminated.as_mut().poll(context).is_ready() || asked.as_mut().poll(context).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Writes label maps when the rater pauses, and what is left when the server ends.
fn write_after_changes(app: &App, changes: &mpsc::Receiver<()>) {
    let write = || {
        if app.dataset.is_of_results() {
            return;
        }
        let mut load = |files: &CaseFiles| app.load(&files.id);
        if let Err(error) = export::write_pending_with(&app.dataset, &app.store, &mut load) {
            tracing::error!(
                "a label map was not written, its marks are safe in the store: {error}"
            );
        }
    };
    while changes.recv().is_ok() {
        while changes.recv_timeout(QUIET).is_ok() {}
        write();
    }
    write();
}

fn router(app: Shared) -> Router {
    let looking = Router::new()
        .route("/", get(files::index))
        .route("/page/{*file}", get(files::file))
        .route("/api/session", get(cases::session))
        .route("/api/protocol", get(files::protocol))
        .route("/api/raters", post(cases::add_rater))
        .route("/api/raters/{rater}/settings", put(cases::set_settings))
        .route("/api/raters/{rater}/cases", get(cases::list))
        .route("/api/cases/{case}", get(cases::case))
        .route("/api/cases/{case}/images/{kind}", get(cases::image))
        .route("/api/cases/{case}/regions", get(cases::regions))
        .route("/api/layers/{case}/{rater}/{stage}", get(layers::read));
    let marking = Router::new()
        .route("/api/layers/{case}/{rater}/{stage}/operations", post(layers::operate))
        .route("/api/layers/{case}/{rater}/{stage}/undo", post(layers::undo))
        .route("/api/layers/{case}/{rater}/{stage}/redo", post(layers::redo))
        .route("/api/layers/{case}/{rater}/{stage}/done", post(layers::done))
        .route("/api/reviews/{case}/{rater}", post(layers::start_review))
        .route("/api/adjudications/{case}/{first}/{second}", post(layers::start_adjudication));
    // Results are shown and not changed.
    let routes = if app.dataset.is_of_results() { looking } else { looking.merge(marking) };
    routes
        .fallback(files::nothing)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard::check))
        .with_state(app)
}

impl App {
    /// A case with its images, read at most once while it is among the last few.
    fn load(&self, id: &str) -> Result<Arc<LoadedCase>, AnnotateError> {
        let files = self.dataset.case(id).ok_or_else(|| {
            AnnotateError::refused(format!("there is no case {id:?} in this dataset"))
        })?;
        // Held while reading, so that four panes asking at once read once.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = loaded.iter().position(|case| case.files.id == id)
            && let Some(case) = loaded.remove(place)
        {
            loaded.push_front(Arc::clone(&case));
            return Ok(case);
        }
        self.dataset.validate(files)?;
        let case = Arc::new(LoadedCase::read(files)?);
        let path = files.reference().unwrap_or(&self.dataset.out);
        self.store.check_grid(id, case.header.grid(), path)?;
        loaded.truncate(KEPT_CASES - 1);
        loaded.push_front(Arc::clone(&case));
        Ok(case)
    }

    /// Reads the case that the page will open first, while the rater still opens the page. What goes
    /// wrong is told when the page asks.
    fn read_ahead(&self) {
        let Some(rater) = &self.rater else { return };
        let Ok(progress) = self.store.progress() else { return };
        let layers = |case: &CaseFiles| -> Vec<_> {
            let own = |key: &LayerKey| key.case == case.id && key.rater == *rater;
            progress.iter().filter(|layer| own(&layer.key)).collect()
        };
        let cases = || self.dataset.cases.iter();
        let begun =
            cases().find(|case| matches!(layers(case)[..], [layer] if layer.done.is_none()));
        if let Some(case) = begun.or_else(|| cases().find(|case| layers(case).is_empty())) {
            let _ = self.load(&case.id);
        }
    }

    /// Has label maps written soon.
    fn changed(&self) {
        if let Some(sender) = &*self.changed.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = sender.send(());
        }
    }

    /// Whether this server may write for a rater.
    fn may_be(&self, rater: &str) -> Result<(), AnnotateError> {
        match &self.rater {
            Some(only) if only != rater => Err(AnnotateError::refused(format!(
                "this page was started for {only}, not for {rater}"
            ))),
            _ => Ok(()),
        }
    }
}
