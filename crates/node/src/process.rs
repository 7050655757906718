//! What the operating system says about this process.

/// Bytes of memory in use, and open files; zero where the system does not tell.
pub(crate) fn usage() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
    (resident(&status).unwrap_or_default(), files)
}

/// `VmRSS:     1234 kB`, in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_files_are_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t1\n"), Some(1234 * 1024));
        assert_eq!(resident("Name:\tx\n"), None);
        if cfg!(target_os = "linux") {
            let (bytes, files) = usage();
            assert!(bytes > 1 << 20 && files >= 3, "{bytes} bytes, {files} files");
        }
    }
}
