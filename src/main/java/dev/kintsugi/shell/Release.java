package dev.kintsugi.shell;

import java.util.Optional;

/// Which version this is.
final class Release {
    static final String VERSION = Optional.ofNullable(Release.class.getPackage().getImplementationVersion())
            .orElse("0.1.0");

    private Release() {}
}
