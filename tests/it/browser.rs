//! What only a browser can tell: scripts of pages in a real Chromium ask. One module for each subject.

mod harness;
