/// The tokens of a model: what the rows of its embedding mean, which their numbers do not say.
///
/// Start with [dev.kintsugi.tokenizer.Tokens], read from the files of a Hugging Face directory.
/// [dev.kintsugi.tokenizer.TokenUnion] joins those of several models and gives the text of the files that hold
/// them. Nothing is tokenized here.
/// **Source.** `tokenizers/src/tokenizer/added_vocabulary.rs` for the numbers of added tokens,
/// `mergekit/tokenizer/build.py` for unions.
@NullMarked
package dev.kintsugi.tokenizer;

import org.jspecify.annotations.NullMarked;
