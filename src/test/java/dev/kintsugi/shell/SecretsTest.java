package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecretsTest {
    @DisplayName("R-15 lines with passwords, tokens and addresses with credentials are told")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "set password x",
                "run upload.rsh --set token=abc",
                "run upload.rsh --set HF_TOKEN=abc",
                "merge --hf-token abc",
                "open https://me:pw@hub.example/model",
                "open s3://bucket/model?X-Amz-Signature=12ab",
                "alias up='run up.rsh --set key=hf_AbCdEfGhIjKlMnOpQr'",
                "run x --set k=AKIAABCDEFGHIJKLMNOP",
                "run x --set k=ghp_0123456789abcdef",
            })
    void aLineWithASecretIsTold(String line) {
        assertTrue(Secrets.mayHold(line), line);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "show actor model.embed_tokens.weight",
                "stats actor '**.token_type_embeddings.**'",
                "show actor cls_token --slice :4",
                "open runs/secretary/tokens",
                "placements actor embed_tokens.weight --draw",
                "fuse linear a b --weights 0.3,0.7 --as blend",
            })
    void namesOfTensorsAreNoSecrets(String line) {
        assertFalse(Secrets.mayHold(line), line);
    }
}
