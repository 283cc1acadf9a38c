use std::path::Path;

use super::{ReadError, read};

#[test]
fn only_regular_files_are_read_and_only_up_to_the_limit() {
    let root = std::env::temp_dir().join(format!("evergate-regular-file-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("text"), "12345").unwrap();
    std::os::unix::fs::symlink(root.join("text"), root.join("link")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    for name in ["text", "link"] {
        assert_eq!(read(&root.join(name), 5).unwrap(), b"12345", "{name}");
        assert!(matches!(read(&root.join(name), 4), Err(ReadError::TooLarge { limit: 4 })), "{name}");
    }
    for place in [root.join("pipe").as_path(), &root, Path::new("/dev/zero")] {
        assert!(matches!(read(place, 5), Err(ReadError::NotRegular)), "{}", place.display());
    }
    assert!(matches!(read(&root.join("missing"), 5), Err(ReadError::Io(_))));
    std::fs::remove_dir_all(&root).unwrap();
}
