//! Writes the place of libtorch into the program, so that it runs without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        // The old kind of entry (DT_RPATH) also holds for the libraries that libtorch itself needs.
        let path = std::path::Path::new(&libtorch).join("lib");
        println!("cargo:rustc-link-arg-bins=-Wl,--disable-new-dtags,-rpath,{}", path.display());
    }
}
