import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** As json_reader's main.go, with Jackson: the whole document as a tree, or a field of an object whose names are matched without regard to case. */
public class JsonReader {
  public static class Fields {
    @JsonProperty("kind") public Object kind;
    @JsonProperty("user") public Object user;
    @JsonProperty("amount") public Object amount;
    @JsonProperty("straße") public Object street;
    @JsonProperty("σίγμας") public Object sigmas;
    @JsonProperty("id") public Object id;
    @JsonProperty("µ") public Object micro;
    @JsonProperty("åse") public Object aase;
    @JsonProperty("жук") public Object beetle;
    @JsonProperty("ǆ") public Object digraph;
    @JsonProperty("item") public Fields item;

    Object at(String name) throws IllegalAccessException {
      for (var field : Fields.class.getFields()) {
        if (field.getAnnotation(JsonProperty.class).value().equals(name)) return field.get(this);
      }
      throw new IllegalArgumentException(name);
    }
  }

  static final ObjectMapper TREES = new ObjectMapper();
  static final ObjectMapper OBJECTS =
      JsonMapper.builder().enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_PROPERTIES).disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

  static String hex(String text) {
    return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
  }

  static String render(JsonNode v) {
    if (v.isNull() || v.isBoolean()) return v.asText();
    if (v.isTextual()) return '"' + hex(v.textValue()) + '"';
    if (v.isIntegralNumber()) return "#n" + v.bigIntegerValue();
    if (v.isNumber()) return "#n" + Double.toString(v.doubleValue()).replace("Infinity", "inf");
    List<String> parts = new ArrayList<>();
    if (v.isArray()) {
      for (JsonNode item : v) parts.add(render(item));
      return "[" + v.size() + "|" + String.join(",", parts) + "]";
    }
    for (Map.Entry<String, JsonNode> item : v.properties()) {
      if (!item.getValue().isNull()) parts.add(hex(item.getKey()) + ":" + render(item.getValue()));
    }
    Collections.sort(parts);
    return "{" + String.join(",", parts) + "}";
  }

  static String answer(String line) {
    String[] words = line.split(" ");
    byte[] document = Base64.getDecoder().decode(words[0]);
    try {
      if (words.length < 2) {
        JsonNode tree = TREES.readTree(document);
        return tree.isMissingNode() ? "-" : render(tree);
      }
      Fields fields = OBJECTS.readValue(document, Fields.class);
      if (words[2].equals("true")) fields = fields.item == null ? new Fields() : fields.item;
      Object value = fields.at(new String(HexFormat.of().parseHex(words[1]), StandardCharsets.UTF_8));
      return value == null ? "absent" : render(OBJECTS.valueToTree(value));
    } catch (Exception | StackOverflowError e) {
      return "-";
    }
  }

  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    var out = new PrintStream(new java.io.BufferedOutputStream(System.out), false, StandardCharsets.US_ASCII);
    for (String line = in.readLine(); line != null; line = in.readLine()) out.println(answer(line));
    out.flush();
  }
}
