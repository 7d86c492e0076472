// apollo-client, the official Java client: reads, then listens.

import com.ctrip.framework.apollo.Config;
import com.ctrip.framework.apollo.ConfigFile;
import com.ctrip.framework.apollo.ConfigService;
import com.ctrip.framework.apollo.core.enums.ConfigFileFormat;
import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

public class Driver {
  public static void main(String[] arguments) throws Exception {
    JsonObject told = new Gson().fromJson(arguments[0], JsonObject.class);
    System.setProperty("apollo.meta", told.get("meta").getAsString());
    System.setProperty("app.id", told.get("app").getAsString());
    System.setProperty("apollo.access-key.secret", told.get("secret").getAsString());
    System.setProperty("apollo.label", told.get("label").getAsString());
    System.setProperty("apollo.cache-dir", told.get("folder").getAsString());
    for (JsonElement name : told.getAsJsonArray("namespaces")) {
      follow(name.getAsString());
    }
    while (System.in.read() != -1) {
      continue;
    }
    System.exit(0);
  }

  private static void follow(String namespace) {
    if (namespace.endsWith(".json")) {
      String stem = namespace.substring(0, namespace.length() - ".json".length());
      ConfigFile file = ConfigService.getConfigFile(stem, ConfigFileFormat.JSON);
      file.addChangeListener(event -> tell("changed", namespace, "content", event.getNewValue()));
      tell("value", namespace, "content", file.getContent());
      return;
    }
    Config config = ConfigService.getConfig(namespace);
    config.addChangeListener(
        event -> {
          for (String key : event.changedKeys()) {
            tell("changed", namespace, key, event.getChange(key).getNewValue());
          }
        });
    for (String key : config.getPropertyNames()) {
      tell("value", namespace, key, config.getProperty(key, null));
    }
  }

  private static synchronized void tell(String event, String namespace, String key, String value) {
    JsonObject line = new JsonObject();
    line.addProperty("event", event);
    line.addProperty("namespace", namespace);
    line.addProperty("key", key);
    line.addProperty("value", value);
    System.out.println(line);
  }
}
