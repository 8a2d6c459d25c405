//! Where photos are kept, and what failed uploads leave there.

use super::{ask, code, consent, files, get, holds, link, picture, put, stored, telephone_jpeg, url_of};
use crate::support::*;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_never_came_are_given_up_and_cut_ones_swept() {
    let mut clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let kept = stored(&clinic, &anna, &patient, 1, json!({})).await;
    let (late, open) = (ask(&anna, &patient, json!({})).await, ask(&anna, &patient, json!({})).await);
    let sql = clinic.database.superuser().await;
    let photo = uuid_of(late["photo"]["id"].as_str().unwrap());
    sql.run(&format!("UPDATE photo SET upload_expires_at = now() - interval '1 hour' WHERE id = '{photo}'")).await;
    // What a crash leaves: bytes that were never kept, bytes half written, bytes moved without a commit.
    let folder = clinic.objects().to_owned();
    let org = clinic.north.uuid;
    std::fs::create_dir_all(folder.join("incoming")).unwrap();
    std::fs::create_dir_all(folder.join(format!("{org}/{photo}"))).unwrap();
    std::fs::write(folder.join(format!("{org}/{photo}/original")), "x").unwrap();
    for (name, hours) in [("cut", 2), ("half#1", 2), ("young", 0)] {
        let file = std::fs::File::create(folder.join("incoming").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }
    assert_eq!(files(&folder).len(), 6);
    clinic.restart(&[]).await;
    let anna = clinic.practitioner();
    let status = async |photo: &Value| {
        let text = "query ($id: ID!) { photo(id: $id) { status updatedBy { id } } }";
        anna.graphql(text, json!({"id": photo["id"]})).await.ok()["photo"].clone()
    };
    for _ in 0..100 {
        if status(&late["photo"]).await["status"] == "ABANDONED" && files(&folder).len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status(&late["photo"]).await, json!({"status": "ABANDONED", "updatedBy": null}));
    assert_eq!(status(&open["photo"]).await["status"], "AWAITING_UPLOAD");
    assert_eq!(status(&kept).await["status"], "STORED");
    assert_eq!(files(&folder).len(), 3, "the stored photo's two, and the young one: {:?}", files(&folder));
    // The secret of the links is kept with the folder: an address from before still works; the given-up one does not.
    assert_eq!(put(&clinic, url_of(&open), picture(ImageFormat::Png, 5)).await.0, 200);
    assert_eq!(code(&put(&clinic, url_of(&late), picture(ImageFormat::Png, 6)).await), (410, "LINK_EXPIRED"));
    crate::binary::verify(&clinic.database.url()).await;
}

/// An S3 server on the loopback, with its storage in a folder.
async fn s3(folder: &Path) -> std::net::SocketAddr {
    let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).expect("a storage"));
    builder.set_auth(s3s::auth::SimpleAuth::from_single("key-id", "key-secret"));
    let service = builder.build().into_shared();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                let _ = http.serve_connection(hyper_util::rt::TokioIo::new(socket), service).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_are_kept_in_an_s3_too() {
    let storage = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(storage.path().join("photos")).expect("a bucket");
    let endpoint = format!("http://{}", s3(storage.path()).await);
    let flags = [
        "--object-store",
        "s3://photos/north/clinic",
        "--s3-endpoint",
        &endpoint,
        "--s3-access-key-id",
        "key-id",
        "--s3-secret-access-key",
        "key-secret",
        "--link-secret",
        "0123456789abcdef0123456789abcdef",
        "--public-url",
        "https://clinic.example.com/",
    ];
    let mut clinic = Clinic::with(&flags).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    consent(&clinic, &patient, "clinical_photo").await;
    let path = |url: &Value| url.as_str().unwrap().strip_prefix("https://clinic.example.com").unwrap().to_owned();
    let asked = ask(&anna, &patient, json!({})).await;
    let bytes = telephone_jpeg(4);
    let first = put(&clinic, &path(&asked["uploadUrl"]), bytes.clone()).await;
    assert_eq!(first.0, 200, "{}", first.1);
    assert_eq!(put(&clinic, &path(&asked["uploadUrl"]), bytes).await, first);
    let objects = || -> Vec<PathBuf> {
        let all = files(&storage.path().join("photos"));
        all.into_iter().filter(|file| !file.file_name().unwrap().to_string_lossy().starts_with('.')).collect()
    };
    assert_eq!(objects().len(), 2, "{:?}", objects());
    let id = asked["photo"]["id"].as_str().unwrap();
    for size in ["ORIGINAL", "THUMBNAIL"] {
        let shown = link(&anna, id, "CLINICAL_RECORD", size).await;
        let answer = get(&clinic, &path(&shown["url"])).await;
        assert_eq!(answer.status(), 200);
        let kept = answer.bytes().await.expect("bytes");
        assert!(image::load_from_memory(&kept).is_ok() && !holds(&kept, "GPS"));
    }
    // A large one, and the removal of what was left by one that never ended.
    let noise =
        RgbImage::from_fn(2400, 1600, |x, y| Rgb([((x * 7919) ^ (y * 104_729)) as u8, (x * y) as u8, (x ^ y) as u8]));
    let mut large = Cursor::new(Vec::new());
    noise.write_to(&mut large, ImageFormat::Png).expect("a picture");
    assert!(large.get_ref().len() > 5 * 1024 * 1024);
    let more = ask(&anna, &patient, json!({})).await;
    assert_eq!(put(&clinic, &path(&more["uploadUrl"]), large.into_inner()).await.0, 200);
    let sql = clinic.database.superuser().await;
    let photo = uuid_of(id);
    sql.run(&format!("UPDATE photo SET status = 'awaiting_upload', upload_expires_at = now() - interval '1 hour' WHERE id = '{photo}'")).await;
    assert_eq!(objects().len(), 4);
    clinic.restart(&flags).await;
    for _ in 0..100 {
        if objects().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(objects().len(), 2, "{:?}", objects());
}
