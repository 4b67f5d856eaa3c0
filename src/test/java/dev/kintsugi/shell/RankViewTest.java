package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RankViewTest {
    private static final String FSDP = "src/test/resources/fsdp/";

    @TempDir
    Path home;

    private Typescript shell;

    @BeforeEach
    void open() {
        shell = new Typescript(home);
        shell.run("open " + FSDP + "fsdp2_4/ckpt --as actor");
        shell.take(home);
    }

    @AfterEach
    void close() {
        shell.close();
    }

    @Test
    void theRowsOfAllRanksOneAfterTheOtherAreTheWholeTensor() {
        Session session = shell.shell().session();
        ByteArrayOutputStream rows = new ByteArrayOutputStream();
        String name = "model.layers.1.mlp.down_proj.weight";
        List<Model> ranks = session.models(List.of("actor@*"));
        ranks.forEach(r -> rows.writeBytes(Golden.bytes(r.tensors().tensor(name), 100)));
        assertEquals(
                List.of("actor@0", "actor@1", "actor@2", "actor@3"),
                ranks.stream().map(Model::name).toList());
        assertArrayEquals(Golden.bytes(session.model("actor").tensors().tensor(name), 1 << 20), rows.toByteArray());
    }

    @Test
    void aRankViewIsLookedAtAsAModelIs() {
        shell.run("info actor@3");
        shell.run("tensors actor@3 **.self_attn.*.weight");
        shell.run("placements actor@3 **.layers.0.self_attn.q_proj.weight");
        shell.run("explain actor@3 model.norm.weight");
        assertEquals("""
            > info actor@3
            actor@3  FSDP2, rank 3 of 4, mesh fsdp=4 · 27 tensors, 8.90 k parameters, BF16, 17.8 kB · Qwen2ForCausalLM · local tensors
              directory      src/test/resources/fsdp/fsdp2_4/ckpt
              sidecars       src/test/resources/fsdp/fsdp2_4/ckpt/huggingface: chat_template.jinja, config.json, generation_config.json, tokenizer.json, tokenizer_config.json
              reproduce      open src/test/resources/fsdp/fsdp2_4/ckpt --as actor
            > tensors actor@3 **.self_attn.*.weight
            tensor                                          dtype  shape      bytes
            model.layers.{0..1}.self_attn.k_proj.weight ×2  BF16   [4, 32]    512 B
            model.layers.{0..1}.self_attn.o_proj.weight ×2  BF16   [8, 32]  1.02 kB
            model.layers.{0..1}.self_attn.q_proj.weight ×2  BF16   [8, 32]  1.02 kB
            model.layers.{0..1}.self_attn.v_proj.weight ×2  BF16   [4, 32]    512 B
            8 of 27 tensors, 1.54 k parameters, 3.07 kB
            > placements actor@3 **.layers.0.self_attn.q_proj.weight
            mesh fsdp=4
            tensor                                  dtype  global shape  placements      local shapes
            model.layers.0.self_attn.q_proj.weight  BF16   [32, 32]      fsdp: Shard(0)  [8, 32]
            > explain actor@3 model.norm.weight
            model.norm.weight  BF16 [32], DTensor
              mesh dim fsdp=4  Shard(0)
            rank  file                          at byte  bytes  holds
            3     model_world_size_4_rank_3.pt   26,368     16  elements 24..31
            (no room for record; --format csv has all)
            why rank 3: Shard(0) of 32 over fsdp=4: step 8, rank 3 has elements 24..31
            """, shell.take(home));
    }

    @Test
    void aRankViewIsValidatedAsItIsAndComparedWithAnother() {
        shell.run("validate actor@3 --data --against actor@1");
        shell.run("assert equal actor@0 actor@1");
        shell.run("assert tensors == 27 actor@2; assert parameters == 8904 actor@2");
        assertEquals("""
            > validate actor@3 --data --against actor@1
            actor@3 as Qwen2ForCausalLM: valid · checked values
              in       27 tensors, 8,904 parameters, 17,808 bytes
              out      27 tensors, 8,904 parameters, 17,808 bytes
            > assert equal actor@0 actor@1
            error[K6003]: actor@0 and actor@1 differ: model.embed_tokens.weight from element 0 on
              why: the assertion does not hold
              try: look with: validate actor@0 --against actor@1
            > assert tensors == 27 actor@2; assert parameters == 8904 actor@2
            holds: tensors == 27 actor@2
            holds: parameters == 8904 actor@2
            """, shell.take(home));
    }

    @Test
    void replicasOfAMeshAreEqualAndItsShardsAreNot() {
        shell.run("open " + FSDP + "hsdp_2x2/ckpt --as h");
        assertEquals(Status.DONE, shell.run("assert equal h@0 h@2"));
        assertEquals(Status.DONE, shell.run("assert equal h@1 h@3"));
        assertEquals(Status.DIFFERENT, shell.run("assert equal h@0 h@1"));
        assertEquals(Status.DIFFERENT, shell.run("assert equal h@*"));
    }

    @Test
    void piecesAreWrittenOnlyWhenAskedForAsTheyAre() {
        Path out = home.resolve("out");
        assertEquals(Status.REFUSED, shell.run("export actor@3 " + out));
        assertEquals("""
            > export actor@3 …/out
            error[K4004]: actor@3 is not a whole model
              why: 27 of its 27 tensors are pieces, 0 of the model's are on other ranks only
              try: take the model itself, actor, or the pieces as they are with --keys as-is
            """, shell.take(home));
        assertEquals(Status.DONE, shell.run("export actor@3 " + out + " --keys as-is"));
        shell.run("open " + out + " --as again");
        assertEquals(Status.DONE, shell.run("assert equal again actor@3"));
    }

    @Test
    void aRankThatIsNotThereNamesThoseThatAre() {
        shell.run("tensors actor@4");
        shell.run("info actor@*");
        shell.run("close actor@1");
        shell.run("validate actr@1");
        assertEquals("""
            > tensors actor@4
            error[K1004]: actor has no rank 4
              why: its ranks are 0-3
              try: name one of them, as in actor@0, or all: actor@*
            > info actor@*
            error[K1004]: actor@* is 4 models
              why: one is needed here
              try: name a rank, as in actor@0
            > close actor@1
            error[K1004]: actor@1 is a view of a model, and closes with it
              why: open are actor
              try: close the model: close actor
            > validate actr@1
            error[K1004]: no model is named actr@1
              why: open are actor
              try: did you mean actor@1?
            """, shell.take(home));
    }

    @Test
    void filesOfNoRankHaveNoViews() {
        shell.run("export actor " + home.resolve("out"));
        shell.run("open " + home.resolve("out") + " --as out");
        shell.take(home);
        shell.run("info out@0");
        shell.run("assert equal out@*");
        assertEquals("""
            > info out@0
            error[K1004]: out has no rank 0
              why: its files belong to no rank
              try: name the model itself: out
            > assert equal out@*
            error[K1004]: out has no rank *
              why: its files belong to no rank
              try: name the model itself: out
            """, shell.take(home));
    }

    @Test
    void aViewClosesWithItsModelAndIsNotInUseAfterwards() {
        shell.run("use actor@1; close actor");
        assertFalse(shell.shell().session().find("actor@1").isPresent());
        assertEquals(Status.USAGE, shell.run("info"));
    }

    @Test
    void ranksAreProposedAfterTheAt() {
        Completions completions = shell.shell().session().completions();
        assertEquals(
                List.of("actor@0", "actor@1", "actor@2", "actor@3", "actor@*"),
                completions.of(List.of("validate", "actor@")).stream()
                        .map(Completions.Proposal::value)
                        .toList());
        assertEquals(
                "27 tensors 17.8 kB",
                completions.of(List.of("info", "actor@2")).getFirst().description());
        assertEquals(
                List.of("model.norm."),
                completions.of(List.of("tensors", "actor@2", "model.n")).stream()
                        .map(Completions.Proposal::value)
                        .toList());
    }
}
