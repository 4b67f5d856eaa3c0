package dev.kintsugi.work;

/// A kind of thing that a reader meets and that whoever asked for the reading should hear of.
public enum Remark {
    /// A call or an import that Python would make of a pickle and that torch writes for no tensor.
    OPAQUE_CALL,

    /// A tensor whose elements lie over one another in its storage.
    OVERLAPPING_VIEW
}
