"""The reference head: built from public-domain data (`build`), read and posed (`mesh`)."""
